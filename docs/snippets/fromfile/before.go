// Package fromfile is about programs that log to a file, which a shipper reads.
package fromfile

import "go.uber.org/zap"

// Before makes the logger.
func Before() (*zap.Logger, error) {
	config := zap.NewProductionConfig()
	config.OutputPaths = []string{"/var/log/app/app.log"}
	return config.Build()
}
