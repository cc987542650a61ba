//go:build cgo

package confluent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// fileNames are the properties that name a file which has to be there. All but
// the last are read only with TLS.
var fileNames = []string{
	"ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.crl.location", "ssl.keystore.location", "https.ca.location",
}

// checkFiles names the files that cannot be read. The client's own error is
// OpenSSL's, with neither path nor reason.
func checkFiles(s settings) error {
	tls := strings.HasSuffix(strings.ToLower(s["security.protocol"].text), "ssl")
	var errs []error
	for _, name := range fileNames {
		path := s[name].text
		// The client looks for the system's own with this word.
		if path == "" || path == "probe" || !tls && strings.HasPrefix(name, "ssl.") {
			continue
		}
		if err := readable(path, strings.HasSuffix(name, ".ca.location")); err != nil {
			errs = append(errs, fmt.Errorf("%s is %q, which cannot be read: %w", name, path, err))
		}
	}
	return joined(errs)
}

func readable(path string, mayBeDir bool) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir() && !mayBeDir:
		return errors.New("it is a directory: want a file")
	case info.IsDir() || info.Mode().IsRegular(): // to open a pipe would take what is in it
		var f *os.File
		if f, err = os.Open(path); err == nil {
			_ = f.Close() // it was read only
		}
	}
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return cause.Err // without the path, which has been named
	}
	return err
}
