package emulator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
)

// ServeLoopback serves on a free port of 127.0.0.1 in the background. It returns the URL and a function that stops the
// server at once. The server reports connections to connState, unless that is nil, and errors to the logger.
func ServeLoopback(
	ctx context.Context, handler http.Handler, connState func(net.Conn, http.ConnState), logger hclog.Logger,
) (url string, closeServer func() error, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{
		Handler:           handler,
		ConnState:         connState,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the emulator has stopped", "error", err)
		}
	}()
	return "http://" + listener.Addr().String(), server.Close, nil
}
