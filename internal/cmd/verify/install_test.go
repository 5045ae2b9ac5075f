package main

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

func TestFillWorkspace(t *testing.T) {
	r := newRelease(t)
	archive := r.file(runtime.GOOS + "_" + runtime.GOARCH + ".zip")
	r.write(t, archive, []byte("archive"))
	workspace := t.TempDir()
	if err := r.fillWorkspace(workspace); err != nil {
		t.Fatal(err)
	}
	for _, registry := range terraformcli.Registries {
		got, err := os.ReadFile(filepath.Join(workspace, "mirror", registry, "pulumicloud", "pulumicloud", archive))
		if err != nil || string(got) != "archive" {
			t.Errorf("%s: got %q, %v", registry, got, err)
		}
	}
}

func TestCheckUserAgent(t *testing.T) {
	for name, test := range map[string]struct {
		userAgents []string
		want       string
	}{
		"version and commit": {[]string{project + "/1.2.3+0123456789ab (+https://example.com) Terraform/1.14.0"}, ""},
		"no commit":          {[]string{project + "/1.2.3 Terraform/1.14.0"}, `the User-Agent is "` + project + "/1.2.3 T"},
		"one without": {
			[]string{project + "/1.2.3+0123456789ab Terraform/1.14.0", "Go-http-client/1.1"},
			`the User-Agent is "Go-http-client/1.1"`,
		},
		"no request": {nil, "made no request"},
	} {
		t.Run(name, func(t *testing.T) {
			var requests []emulator.Request
			for _, userAgent := range test.userAgents {
				requests = append(requests, emulator.Request{Header: http.Header{"User-Agent": {userAgent}}})
			}
			expect(t, newRelease(t).checkUserAgent(requests), test.want)
		})
	}
}
