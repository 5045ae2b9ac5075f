// Command chart reads series of points as JSON, and writes them as an SVG with logarithmic axes, readable on a light
// and on a dark background:
//
//	go run -C tools/chart . < chart.json > chart.svg
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	width, height = 18 * vg.Centimeter, 10 * vg.Centimeter
	labelSpace    = 4.4 * vg.Centimeter
	labelHeight   = vg.Length(14)
	textSize      = 11
)

// Each is dark enough on white, and light enough on black.
var (
	textColor = color.NRGBA{0x7d, 0x85, 0x90, 0xff}
	gridColor = color.NRGBA{0x7d, 0x85, 0x90, 0x40}
	palette   = []color.Color{
		color.NRGBA{0xd9, 0x6c, 0x1e, 0xff},
		color.NRGBA{0x2f, 0x81, 0xf7, 0xff},
		color.NRGBA{0x7d, 0x85, 0x90, 0xff},
	}
)

// chart is what to draw. Coordinates are positive.
type chart struct {
	Title  string   `json:"title"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
	Series []series `json:"series"`
}

type series struct {
	Label string `json:"label"`
	// Limit draws the line dashed and without points.
	Limit  bool         `json:"limit"`
	Points [][2]float64 `json:"points"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var c chart
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return err
	}
	svg, err := c.draw()
	if err != nil {
		return err
	}
	_, err = out.Write(svg)
	return err
}

func (c chart) draw() ([]byte, error) {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = c.Title
	restyle(&p.Title.TextStyle, textSize+2)
	p.Title.Padding = vg.Points(10)
	styleAxis(&p.X, c.X)
	styleAxis(&p.Y, c.Y)

	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	p.Add(grid)

	for i, s := range c.Series {
		if err := s.add(p, palette[i%len(palette)]); err != nil {
			return nil, fmt.Errorf("series %q: %w", s.Label, err)
		}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(c.values(0)), logarithmicTicks{}
	p.Y.Min, p.Y.Max = logarithmicRange(p.Y.Min, p.Y.Max)

	canvas := vgsvg.New(width, height)
	area := draw.New(canvas)
	area.Max.X -= labelSpace
	p.Draw(area)
	c.label(p, area)

	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return nil, err
	}
	// The font that the text was measured with is not everywhere; those that follow are as wide.
	return bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif")), nil
}

// restyle leaves the alignment as it is.
func restyle(style *draw.TextStyle, size font.Length) {
	style.Color = textColor
	style.Font.Variant = "Sans"
	style.Font.Size = size
}

func styleAxis(axis *plot.Axis, label string) {
	axis.Scale = plot.LogScale{}
	axis.Label.Text = label
	axis.Label.Padding = vg.Points(4)
	restyle(&axis.Label.TextStyle, textSize)
	restyle(&axis.Tick.Label, textSize)
	axis.Color, axis.Tick.Color = textColor, textColor
}

func (s series) add(p *plot.Plot, c color.Color) error {
	if len(s.Points) == 0 {
		return errors.New("no points")
	}
	points := make(plotter.XYs, len(s.Points))
	for i, point := range s.Points {
		if point[0] <= 0 || point[1] <= 0 {
			return fmt.Errorf("%v has no place on a logarithmic axis", point)
		}
		points[i] = plotter.XY{X: point[0], Y: point[1]}
	}
	line, markers, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(2)
	p.Add(line)
	if s.Limit {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(4)}
		return nil
	}
	markers.Shape, markers.Color, markers.Radius = draw.CircleGlyph{}, c, vg.Points(3)
	p.Add(markers)
	return nil
}

func (c chart) values(coordinate int) []float64 {
	var values []float64
	for _, s := range c.Series {
		for _, point := range s.Points {
			values = append(values, point[coordinate])
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// label names each line at its right end, in its colour, and moves names apart that would overlap.
func (c chart) label(p *plot.Plot, area draw.Canvas) {
	type label struct {
		text  string
		color color.Color
		y     vg.Length
	}
	data := p.DataCanvas(area)
	x, y := p.Transforms(&data)
	var labels []label
	var right vg.Length
	for i, s := range c.Series {
		last := s.Points[len(s.Points)-1]
		right = max(right, x(last[0]))
		labels = append(labels, label{s.Label, palette[i%len(palette)], y(last[1])})
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(b.y, a.y) })
	for i := len(labels) - 2; i >= 0; i-- {
		labels[i].y = max(labels[i].y, labels[i+1].y+labelHeight)
	}
	for _, l := range labels {
		style := p.Y.Tick.Label
		style.Color, style.XAlign, style.YAlign = l.color, draw.XLeft, draw.YCenter
		area.FillText(style, vg.Point{X: right + vg.Points(8), Y: l.y}, l.text)
	}
}

// ticks are labelled at the given values alone.
func ticks(values []float64) plot.ConstantTicks {
	ticks := make(plot.ConstantTicks, len(values))
	for i, value := range values {
		ticks[i] = plot.Tick{Value: value, Label: grouped(value)}
	}
	return ticks
}

// logarithmicTicks are at 1, 2 and 5 times the powers of ten.
type logarithmicTicks struct{}

func (logarithmicTicks) Ticks(low, high float64) []plot.Tick {
	const tolerance = 1e-9
	var ticks []plot.Tick
	for exponent := math.Floor(math.Log10(low)); math.Pow(10, exponent) <= high*(1+tolerance); exponent++ {
		for _, factor := range []float64{1, 2, 5} {
			if value := factor * math.Pow(10, exponent); value >= low*(1-tolerance) && value <= high*(1+tolerance) {
				ticks = append(ticks, plot.Tick{Value: value, Label: grouped(value)})
			}
		}
	}
	return ticks
}

// logarithmicRange widens a range to the nearest ticks.
func logarithmicRange(low, high float64) (tickLow, tickHigh float64) {
	wide := logarithmicTicks{}.Ticks(low/10, high*10)
	tickLow, tickHigh = low, high
	for _, tick := range wide {
		if tick.Value <= low {
			tickLow = tick.Value
		}
	}
	for _, tick := range slices.Backward(wide) {
		if tick.Value >= high {
			tickHigh = tick.Value
		}
	}
	return tickLow, tickHigh
}

// grouped writes a number with commas between its thousands.
func grouped(value float64) string {
	digits := strconv.FormatFloat(value, 'g', -1, 64)
	if value < 1000 || value != math.Trunc(value) {
		return digits
	}
	digits = strconv.FormatFloat(value, 'f', 0, 64)
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	return strings.Join(groups, ",")
}
