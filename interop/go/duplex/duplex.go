// Package duplex is a full-duplex stream of bytes over one HTTP/2 request, for a net/http handler and for an HTTP/2
// client.
//
// It stands in for github.com/posener/h2conn, of which it is no copy. The HTTP/2 below is the same (net/http and
// golang.org/x/net/http2), and what both put on the wire should be, judging by h2conn's documentation and source: no test
// here has compared the two. To test with h2conn itself, replace Accept by h2conn.Server.Accept and Connect by
// h2conn.Client.Connect: no other package of this module knows the difference.
//
// What Close can and can't do is Go's, and h2conn's too:
//
//   - A client's Close ends the request's body: END_STREAM, a true half-close. Reading goes on.
//   - A server's Close does nothing. A handler has no way to end its response but to return, which ends both halves at
//     once: Go sends END_STREAM and, where the client has not ended its own half, RST_STREAM with NO_ERROR after it.
//   - A server breaks a stream off by panicking with http.ErrAbortHandler. How a client does: see Connect.
//   - Nothing tells when the last bytes have left. A client that cancels its context, or exits, right after Close may lose
//     them, and resets the stream.
package duplex

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// ErrNotHTTP2 is what Accept returns for a request of an older HTTP.
var ErrNotHTTP2 = errors.New("a full-duplex stream needs HTTP/2")

// Conn is one side's end of the stream. One goroutine may read while another writes.
type Conn struct {
	io.Reader
	io.WriteCloser
}

// Accept answers the request with status and the headers that w has, at once, and makes a Conn of both bodies. It ends
// when the handler returns.
func Accept(w http.ResponseWriter, r *http.Request, status int) (*Conn, error) {
	if r.ProtoMajor < 2 {
		return nil, ErrNotHTTP2
	}
	response := &response{w, http.NewResponseController(w)}
	w.WriteHeader(status)
	if err := response.control.Flush(); err != nil {
		return nil, err
	}
	return &Conn{r.Body, response}, nil
}

// Connect sends a request whose body stays open, and makes a Conn of it and the response's body, whatever the status.
//
// Closing the response's body breaks the Conn off at once. Cancelling ctx does not by itself: as long as Go's transport waits
// for a Write it looks at nothing else. It resets the stream with the next Write, whose bytes are dropped. With Close, it
// ends the request's body as if all were well, and resets the stream after that.
func Connect(ctx context.Context, client *http.Client, method, url string, header http.Header) (*Conn, *http.Response, error) {
	body, writer := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	return &Conn{response.Body, writer}, response, nil
}

// response writes through at once what a ResponseWriter would keep for later.
type response struct {
	writer  http.ResponseWriter
	control *http.ResponseController
}

func (r *response) Write(data []byte) (int, error) {
	n, err := r.writer.Write(data)
	if err != nil {
		return n, err
	}
	return n, r.control.Flush()
}

func (r *response) Close() error {
	return nil
}
