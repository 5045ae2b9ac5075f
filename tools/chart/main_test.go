package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestChart(t *testing.T) {
	const in = `{"title":"A title","x":"pools","y":"seconds","series":[
		{"label":"slow","points":[[1,0.4],[1000,7]]},
		{"label":"the limit","limit":true,"points":[[1,0.3],[1000,7]]}]}`
	var svg bytes.Buffer
	if err := run(strings.NewReader(in), &svg); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"A title", "pools", "seconds", "slow", "the limit", "1,000", "10", "0.2", "stroke-dasharray"} {
		if !strings.Contains(svg.String(), text) {
			t.Errorf("%q is missing", text)
		}
	}
	for decoder := xml.NewDecoder(&svg); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestChartRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no JSON":   `series`,
		"no points": `{"series":[{"label":"none"}]}`,
		"zero":      `{"series":[{"label":"zero","points":[[0,1]]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(strings.NewReader(in), io.Discard); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestLogarithmicTicks(t *testing.T) {
	var labels []string
	for _, tick := range (logarithmicTicks{}).Ticks(logarithmicRange(0.24, 11)) {
		labels = append(labels, tick.Label)
	}
	if got, want := strings.Join(labels, " "), "0.2 0.5 1 2 5 10 20"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
