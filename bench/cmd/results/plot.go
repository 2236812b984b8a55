package main

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// line is one curve of a plot.
type line struct {
	name   string
	points plotter.XYs
}

func (l *line) add(x, y float64) { l.points = append(l.points, plotter.XY{X: x, Y: y}) }

// palette is told apart by people who see few colours (Okabe and Ito).
var palette = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}}

// plotLines draws lines on logarithmic axes.
func plotLines(file, title, x, y string, lines []line) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	least := math.Inf(1)
	for _, l := range lines {
		for _, at := range l.points {
			least = min(least, at.Y)
		}
	}
	p.Y.Min = math.Pow(10, math.Floor(math.Log10(least))) // a whole decade has a label
	p.Add(plotter.NewGrid())
	for i, l := range lines {
		curve, points, err := plotter.NewLinePoints(l.points)
		if err != nil {
			return err
		}
		curve.Color, points.Color = palette[i], palette[i]
		curve.Width = vg.Points(1.5)
		if i == 0 {
			curve.Width = vg.Points(3)
		}
		p.Add(curve, points)
		p.Legend.Add(l.name, curve, points)
	}
	return p.Save(18*vg.Centimeter, 11*vg.Centimeter, file)
}
