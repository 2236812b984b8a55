// Package bench puts load on the authorization path, on the write path and on a
// fleet, on this machine or on a store that is named, and says what it found.
//
// Each file is a benchmark: a struct of settings with a default, and Run, which adds
// tables to a report. [Authz] and [Write] are the ones to start from. How load is made
// is package load, who asks what is package workload, how costs are compared is package
// measure, and what a run is and why runs are not compared is package report. Only what
// needs no library beyond the product's own is here; peers and plots are in the module
// bench of the repository.
package bench
