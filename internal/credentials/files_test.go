package credentials_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	for name, tc := range map[string]struct {
		content string
		want    string
		wantErr string
	}{
		"text":                 {content: "text\n", want: "text\n"},
		"empty":                {},
		"largest":              {content: strings.Repeat("a", limit), want: strings.Repeat("a", limit)},
		"too large":            {content: strings.Repeat("a", limit+1), wantErr: "larger than 1048576 bytes"},
		"UTF-8 mark":           {content: "\xef\xbb\xbftext", want: "text"},
		"UTF-16 little endian": {content: "\xff\xfet\x00", wantErr: "encoded in UTF-16 little endian instead of UTF-8"},
		"UTF-16 big endian":    {content: "\xfe\xff\x00t", wantErr: "encoded in UTF-16 big endian instead of UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := credentials.ProcessEnvironment().ReadFile(path)
			if string(got) != tc.want {
				t.Errorf("got %d bytes, want %d", len(got), len(tc.want))
			}
			if tc.wantErr != "" {
				requirePathError(t, err, path, tc.wantErr)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadFile_notRegular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := credentials.ReadFile(dir)
	requirePathError(t, err, dir, "not a regular file")
	if _, err := credentials.ReadFile(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
}

func requirePathError(t *testing.T, err error, path, want string) {
	t.Helper()
	pathErr, ok := errors.AsType[*fs.PathError](err)
	if !ok || pathErr.Path != path || pathErr.Err.Error() != want {
		t.Errorf("got %v, want a PathError for %s: %s", err, path, want)
	}
}
