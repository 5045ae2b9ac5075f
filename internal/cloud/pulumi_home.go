package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// keysOfBackend returns those keys of entries that mean baseURL, sorted so that a file with several spellings of one
// URL always gives the same answer.
func keysOfBackend[Entry any](entries map[string]Entry, baseURL *url.URL) []string {
	var keys []string
	for key := range entries {
		if u, err := ParseBaseURL(key); err == nil && u.String() == baseURL.String() {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// decodePulumiFile decodes a file in the Pulumi CLI's folder and returns its path, which is "" where there is no home
// directory. A missing file leaves target as it is. The error holds nothing of the file's content: encoding/json quotes
// bytes, numbers and keys, any of which may be part of a token.
func decodePulumiFile(env Environment, base string, target any) (string, error) {
	dir := pulumiDir(env)
	if dir == "" {
		return "", nil
	}
	name := filepath.Join(dir, base)
	data, err := env.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return name, pathErr.Err
	}
	if err != nil {
		return name, err
	}

	err = json.Unmarshal(data, target)
	if syntaxErr, ok := errors.AsType[*json.SyntaxError](err); ok {
		return name, fmt.Errorf("it is not valid JSON (at byte %d)", syntaxErr.Offset)
	}
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return name, fmt.Errorf("it holds a JSON value of an unexpected type (at byte %d)", typeErr.Offset)
	}
	if err != nil {
		return name, errors.New("it cannot be decoded")
	}
	return name, nil
}

// pulumiDir returns the folder in which the Pulumi CLI keeps its files, or "" where there is no home directory, as in
// many containers: nobody has logged in there.
func pulumiDir(env Environment) string {
	for _, variable := range []string{"PULUMI_CREDENTIALS_PATH", "PULUMI_HOME"} {
		if dir := env.Getenv(variable); dir != "" {
			return dir
		}
	}
	home, err := env.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".pulumi")
}

// maxFileSize, in bytes, is far above what the Pulumi CLI and pipelines write.
const maxFileSize = 1 << 20

// readSmallFile reads a regular file of bounded size.
func readSmallFile(name string) ([]byte, error) {
	// Opening a named pipe would wait for a writer.
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFileSize)
	}
	return data, nil
}
