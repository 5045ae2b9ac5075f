package credentials_test

import (
	"cmp"
	"errors"
	"fmt"
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
			if message := fmt.Sprint(err); message != cmp.Or(tc.wantErr, "<nil>") {
				t.Errorf("got error %s, want %q", message, tc.wantErr)
			}
		})
	}
}

func TestReadFile_notRegular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := credentials.ReadFile(dir); err == nil || err.Error() != "not a regular file" {
		t.Errorf("directory: got %v", err)
	}
	_, err := credentials.ReadFile(filepath.Join(dir, "missing"))
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
		t.Errorf("missing file: got %v, want an error without the path", err)
	}
}
