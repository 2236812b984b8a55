// Package report is what a benchmark found, and under which circumstances: for people
// as tables, for programs as JSON. Start with [New] and [Report.Add]; [Join] refuses to
// put figures of different runs side by side.
package report
