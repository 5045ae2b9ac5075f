package emulator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
)

// ServeLoopback serves in the background, on a free port of 127.0.0.1, and returns the URL and what ends it at once. The
// server's errors go to the logger, at level debug. It tells connState, unless that is nil, of each connection as an
// [http.Server] does.
func ServeLoopback(
	ctx context.Context, handler http.Handler, connState func(net.Conn, http.ConnState), logger hclog.Logger,
) (url string, closeServer func() error, err error) {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", "127.0.0.1:0")
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
			logger.Error("the emulator stopped", "error", err)
		}
	}()
	return "http://" + listener.Addr().String(), server.Close, nil
}
