package main

import "testing"

func TestField(t *testing.T) {
	const cpuinfo = "processor\t: 0\nmodel name\t: A Processor: fast\n\nprocessor\t: 1\nmodel name\t: Another\n"
	if model, found := field([]byte(cpuinfo), "model name"); !found || model != "A Processor: fast" {
		t.Errorf("got %q, %t", model, found)
	}
	if value, found := field([]byte(cpuinfo), "model"); found {
		t.Errorf("found %q", value)
	}
}

func TestParsePeakMemory(t *testing.T) {
	for name, test := range map[string]struct {
		status string
		want   int64
	}{
		"running":   {"Name:\tprovider\nVmPeak:\t 1870160 kB\nVmHWM:\t   26220 kB\nVmRSS:\t   20000 kB\n", 26220 << 10},
		"ended":     {"Name:\tprovider\nState:\tZ (zombie)\n", 0},
		"other":     {"VmHWM:\t26220 MB\n", 0},
		"malformed": {"VmHWM:\tmuch kB\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parsePeakMemory([]byte(test.status)); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
