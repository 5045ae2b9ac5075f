package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// report is all that was measured.
type report struct {
	machine          string
	runs             int
	rows             []row
	start            map[variant]time.Duration
	sizes            map[variant]int64
	clientBenchmarks string
}

// markdown reads as well on a terminal.
func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark\n\nMeasured on %s. Times and memory are medians of %d runs, requests and connections the "+
		"most of any run.\n\n", r.machine, r.runs)
	b.WriteString(table(r.commands()))
	b.WriteString(`
- Limit: the same provider with reads answered from memory and writes that are a bare request each. What it takes is
  the CLI's own time and memory, and the API's.
- One GET each: the same provider with a request for each read; its time against the limit, and its requests.
- Connections: the most at the same time, and of all processes that the command starts, where that is more.
- Memory: the most that a process of the provider had resident.

`)
	b.WriteString(table(r.processes()))
	b.WriteString("\nA start is from the start of the process to its schema, and the limit a provider with one empty resource.\n\n")
	fmt.Fprintf(&b, "```text\n%s\n```\n", strings.TrimSpace(r.clientBenchmarks))
	return b.String()
}

func (r report) commands() [][]string {
	cells := [][]string{{
		"Command", "Pools", "Latency", "Parallelism", "Time", "Limit", "Ratio", "One GET each",
		"Requests", "Limit", "Connections", "Memory", "Limit", "Ratio",
	}}
	for _, row := range r.rows {
		f, limit := row.figures[subject], row.figures[reference]
		cells = append(cells, []string{
			string(row.command), grouped(row.pools), fmt.Sprintf("%d ms", row.latency.Milliseconds()),
			strconv.Itoa(row.parallelism),
			seconds(f.time), seconds(limit.time), ratio(f.time, limit.time), row.unshared(),
			f.requestCounts(), limit.requestCounts(), f.connectionCounts(),
			megabytes(f.memory), megabytes(limit.memory), ratio(f.memory, limit.memory),
		})
	}
	return cells
}

func (r report) processes() [][]string {
	return [][]string{
		{"", "Provider", "Limit", "Ratio"},
		{
			"start", milliseconds(r.start[subject]), milliseconds(r.start[empty]),
			ratio(r.start[subject], r.start[empty]),
		},
		{
			"stripped binary", megabytes(r.sizes[subject]), megabytes(r.sizes[empty]),
			ratio(r.sizes[subject], r.sizes[empty]),
		},
	}
}

func (r row) unshared() string {
	f, measured := r.figures[unshared]
	if !measured {
		return notMeasured
	}
	return fmt.Sprintf("%s, %s, %s", seconds(f.time), ratio(f.time, r.figures[reference].time), f.requestCounts())
}

func (t traffic) requestCounts() string {
	var counts []string
	for _, method := range slices.Sorted(maps.Keys(t.requests)) {
		counts = append(counts, grouped(t.requests[method])+" "+method)
	}
	if len(counts) == 0 {
		return "none"
	}
	return strings.Join(counts, " + ")
}

func (t traffic) connectionCounts() string {
	if t.connections == t.atOnce {
		return strconv.Itoa(t.atOnce)
	}
	return fmt.Sprintf("%d (%d in all)", t.atOnce, t.connections)
}

const notMeasured = "–"

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
}

func megabytes(n int64) string {
	if n == 0 {
		return notMeasured
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func ratio[T ~int64](value, limit T) string {
	if value == 0 || limit == 0 {
		return notMeasured
	}
	return fmt.Sprintf("%.2f", float64(value)/float64(limit))
}

// grouped writes a number with commas between its thousands.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// table returns a Markdown table whose columns are aligned: the first to the left, the others to the right.
func table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), len("-:"))
		}
	}
	var b strings.Builder
	for i, row := range rows {
		for j, cell := range row {
			if j == 0 {
				fmt.Fprintf(&b, "| %-*s |", widths[j], cell)
			} else {
				fmt.Fprintf(&b, " %*s |", widths[j], cell)
			}
		}
		b.WriteByte('\n')
		if i > 0 {
			continue
		}
		for j, width := range widths {
			if j == 0 {
				fmt.Fprintf(&b, "| %s |", strings.Repeat("-", width))
			} else {
				fmt.Fprintf(&b, " %s: |", strings.Repeat("-", width-1))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// chart is what tools/chart draws.
type chart struct {
	Title  string   `json:"title"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
	Series []series `json:"series"`
}

type series struct {
	Label  string       `json:"label"`
	Limit  bool         `json:"limit"`
	Points [][2]float64 `json:"points"`
}

// writeChart draws the time of plans against the number of agent pools.
func (r report) writeChart(ctx context.Context, w workspace, name string) error {
	c := chart{
		Title: fmt.Sprintf("terraform plan, API latency %d ms", targetLatency.Milliseconds()), X: "agent pools", Y: "seconds",
	}
	for _, line := range []struct {
		variant variant
		label   string
	}{
		{unshared, "one GET each"},
		{subject, "this provider"},
		{reference, "no I/O (limit)"},
	} {
		s := series{Limit: line.variant == reference}
		for _, row := range r.rows {
			if f := row.figures[line.variant]; row.command == plan && row.inChart() {
				s.Points = append(s.Points, [2]float64{float64(row.pools), f.time.Seconds()})
			}
		}
		if len(s.Points) == 0 {
			return nil
		}
		s.Label = fmt.Sprintf("%s: %.1f s", line.label, s.Points[len(s.Points)-1][1])
		c.Series = append(c.Series, s)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		return err
	}
	// The plotting library is none of the provider's dependencies: what draws is a module of its own.
	svg, err := goCommandReading(ctx, filepath.Join(w.source, "tools", "chart"), encoded, "run", ".")
	if err != nil {
		return err
	}
	return writeFile(name, []byte(svg))
}
