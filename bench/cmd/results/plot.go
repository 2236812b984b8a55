package main

import (
	"errors"
	"image/color"
	"math"
	"os"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// line is one curve of a plot.
type line struct {
	name   string
	points plotter.XYs
	marks  bool // moments, instead of a curve
}

func (l *line) add(x, y float64) { l.points = append(l.points, plotter.XY{X: x, Y: y}) }

// axis is a direction of a plot.
type axis struct {
	label string
	log   bool
	nines bool // a value counts the nines of a share: 2 is 99 %
}

// palette is told apart by people who see few colours (Okabe and Ito).
var palette = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255}, {130, 130, 130, 255},
}

// plotLines draws lines.
func plotLines(file, title string, x, y axis, lines []line) error {
	p := plot.New()
	p.Title.Text = title
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	least, most := math.Inf(1), math.Inf(-1)
	for i, l := range lines {
		// A logarithmic axis has no place for what is not above zero.
		l.points = slices.DeleteFunc(l.points, func(at plotter.XY) bool { return x.log && at.X <= 0 || y.log && at.Y <= 0 })
		if len(l.points) == 0 {
			continue
		}
		for _, at := range l.points {
			least, most = min(least, at.Y), max(most, at.Y)
		}
		if err := l.draw(p, i); err != nil {
			return err
		}
	}
	set(&p.X, x)
	set(&p.Y, y)
	if y.log {
		p.Y.Min = math.Pow(10, math.Floor(math.Log10(least))) // a whole decade has a label
		p.Y.Max = most * math.Pow(most/p.Y.Min, legend(lines))
	} else {
		p.Y.Min, p.Y.Max = 0, most*(1+legend(lines))
	}
	return save(p, file)
}

// legend is the room for the legend above the curves, in their heights.
func legend(lines []line) float64 {
	share := min(0.055*float64(len(lines)), 0.5)
	return share / (1 - share)
}

// The size of a picture, and the margin that the last label of an axis needs.
const (
	width, height = 18 * vg.Centimeter, 11 * vg.Centimeter
	margin        = vg.Centimeter
)

func save(p *plot.Plot, file string) error {
	canvas, err := draw.NewFormattedCanvas(width, height, "svg")
	if err != nil {
		return err
	}
	p.Draw(draw.Crop(draw.New(canvas), 0, -margin, 0, 0))
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(out)
	return errors.Join(err, out.Close())
}

func set(to *plot.Axis, a axis) {
	to.Label.Text = a.label
	switch {
	case a.log:
		to.Scale, to.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	case a.nines:
		to.Tick.Marker = nines{}
	}
}

// draw adds a line to a plot. The first is drawn broad: it is Doorward's.
func (l *line) draw(p *plot.Plot, i int) error {
	if l.marks {
		points, err := plotter.NewScatter(l.points)
		if err != nil {
			return err
		}
		points.Color, points.Radius, points.Shape = palette[i%len(palette)], vg.Points(5), []draw.GlyphDrawer{draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}}[i%3]
		p.Add(points)
		p.Legend.Add(l.name, points)
		return nil
	}
	if len(l.points) > 60 {
		curve, err := plotter.NewLine(l.points)
		if err != nil {
			return err
		}
		curve.Color, curve.Width = palette[i%len(palette)], vg.Points(1)
		p.Add(curve)
		p.Legend.Add(l.name, curve)
		return nil
	}
	curve, points, err := plotter.NewLinePoints(l.points)
	if err != nil {
		return err
	}
	curve.Color, points.Color = palette[i%len(palette)], palette[i%len(palette)]
	curve.Width = vg.Points(1.5)
	if i == 0 {
		curve.Width = vg.Points(3)
	}
	p.Add(curve, points)
	p.Legend.Add(l.name, curve, points)
	return nil
}

// nines labels an axis that counts the nines of a share.
type nines struct{}

func (nines) Ticks(least, most float64) (ticks []plot.Tick) {
	for n := math.Ceil(least); n <= most; n++ {
		label := "all"
		switch {
		case n == 0:
			label = "0 %"
		case n == 1:
			label = "90 %"
		case n >= 2:
			label = "99" + strings.TrimSuffix("."+strings.Repeat("9", int(n)-2), ".") + " %"
		}
		ticks = append(ticks, plot.Tick{Value: n, Label: label})
	}
	return ticks
}

var _ plot.Ticker = nines{}
