// Command server accepts conversations with h2conn. It prints the address that it listens on, then a line of JSON for
// each conversation that has ended. It exits when its standard input ends.
//
// How a server's h2conn.Conn ends:
//
//   - Close sends nothing and stops nothing: Write still works. It only cancels the request's context, for a handler
//     that waits for that.
//   - The handler's return ends both halves at once: Go sends END_STREAM. If the client has not ended its half,
//     RST_STREAM with NO_ERROR follows. A server cannot end only its half.
//   - A panic with http.ErrAbortHandler resets the stream.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/posener/h2conn"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"

	"h2channel.test/interop/talk"
)

// A conversation returns its report, and the error that a Read or Write ended it with.
type conversation func(conn *h2conn.Conn, r *http.Request) (talk.Report, error)

func main() {
	cert := flag.String("cert", "", "the certificate's file; without one, cleartext with prior knowledge")
	key := flag.String("key", "", "the key's file")
	authority := flag.String("clients", "", "the file of the authority whose certificates clients must have; without one, they need none")
	tls12 := flag.Bool("tls12", false, "TLS 1.2 at most")
	flag.Parse()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: routes(), ErrorLog: log.New(io.Discard, "", 0)}
	talk.Tell(map[string]string{"address": listener.Addr().String()})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if *cert == "" {
		server.Handler = h2c.NewHandler(server.Handler, &http2.Server{})
		log.Fatal(server.Serve(listener))
	}
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if *tls12 {
		server.TLSConfig.MaxVersion = tls.VersionTLS12
	}
	if *authority != "" {
		pem, err := os.ReadFile(*authority)
		if err != nil {
			log.Fatal(err)
		}
		server.TLSConfig.ClientCAs = x509.NewCertPool()
		server.TLSConfig.ClientCAs.AppendCertsFromPEM(pem)
		server.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if err := http2.ConfigureServer(server, &http2.Server{}); err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.ServeTLS(listener, *cert, *key))
}

func routes() http.Handler {
	mux := http.NewServeMux()
	// Newline-delimited JSON, with a message before and after those of the client.
	handle(mux, "/json", http.StatusOK, func(conn *h2conn.Conn, _ *http.Request) (talk.Report, error) {
		encoder := json.NewEncoder(conn)
		if err := encoder.Encode(talk.Message{Text: "welcome"}); err != nil {
			return talk.Report{}, err
		}
		messages, err := talk.Replies(conn, conn)
		if err == io.EOF {
			err = encoder.Encode(talk.Message{N: len(messages), Text: "bye"})
		}
		return talk.Report{Messages: messages}, err
	})
	handle(mux, "/fixed", http.StatusOK, func(conn *h2conn.Conn, r *http.Request) (talk.Report, error) {
		count, err := talk.Reverse(conn, conn, int(number(r, "size")))
		return talk.Report{Count: count}, err
	})
	handle(mux, "/struct", http.StatusOK, func(conn *h2conn.Conn, _ *http.Request) (talk.Report, error) {
		count, err := talk.Delays(conn, conn)
		return talk.Report{Count: count}, err
	})
	handle(mux, "/headers", http.StatusAccepted, func(conn *h2conn.Conn, r *http.Request) (talk.Report, error) {
		text, err := io.ReadAll(conn)
		return talk.Report{Method: r.Method, Header: r.Header.Get("X-From-Node"), Text: string(text)}, err
	})
	mux.HandleFunc("/refused", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From-Go", "not today")
		http.Error(w, "this is no place for you", http.StatusForbidden)
	})
	// Reads to the end, then sends a lot.
	handle(mux, "/answer", http.StatusOK, func(conn *h2conn.Conn, r *http.Request) (talk.Report, error) {
		text, err := io.ReadAll(conn)
		if err == nil {
			_, err = conn.Write(make([]byte, number(r, "bytes")))
		}
		return talk.Report{Text: string(text)}, err
	})
	// Sends a lot and returns, while the client still sends.
	handle(mux, "/leave", http.StatusOK, func(conn *h2conn.Conn, r *http.Request) (talk.Report, error) {
		_, err := conn.Write(make([]byte, number(r, "bytes")))
		return talk.Report{}, err
	})
	// Answers one line, then waits for the end.
	handle(mux, "/wait", http.StatusOK, func(conn *h2conn.Conn, _ *http.Request) (talk.Report, error) {
		return talk.Report{}, answerOne(conn, func(decoder *json.Decoder) error {
			return decoder.Decode(&talk.Message{})
		})
	})
	// Answers one line, and resets the stream with the next.
	handle(mux, "/break", http.StatusOK, func(conn *h2conn.Conn, _ *http.Request) (talk.Report, error) {
		return talk.Report{}, answerOne(conn, func(decoder *json.Decoder) error {
			if err := decoder.Decode(&talk.Message{}); err != nil {
				return err
			}
			panic(http.ErrAbortHandler)
		})
	})
	// Has another goroutine answer one line and close, which ends the handler's wait.
	handle(mux, "/close", http.StatusOK, func(conn *h2conn.Conn, r *http.Request) (talk.Report, error) {
		answered := make(chan error, 1)
		go func() {
			answered <- answerOne(conn, func(*json.Decoder) error { return conn.Close() })
		}()
		<-r.Context().Done()
		return talk.Report{}, <-answered
	})
	// Closes, and answers one line after that.
	handle(mux, "/closed", http.StatusOK, func(conn *h2conn.Conn, _ *http.Request) (talk.Report, error) {
		if err := conn.Close(); err != nil {
			return talk.Report{}, err
		}
		return talk.Report{}, answerOne(conn, func(*json.Decoder) error { return nil })
	})
	// Waits until the client has left, and counts the writes that succeed after that.
	handle(mux, "/gone", http.StatusOK, func(conn *h2conn.Conn, r *http.Request) (talk.Report, error) {
		<-r.Context().Done()
		for n := 0; ; n++ {
			if _, err := io.WriteString(conn, "too late"); err != nil {
				return talk.Report{Count: n}, err
			}
		}
	})
	// An h2conn.Server without a status: Accept panics.
	handle(mux, "/zero", 0, func(*h2conn.Conn, *http.Request) (talk.Report, error) {
		return talk.Report{}, nil
	})
	handle(mux, "/bulk", http.StatusOK, func(conn *h2conn.Conn, r *http.Request) (talk.Report, error) {
		return talk.Bulk(conn, conn, number(r, "bytes"), conn.Close)
	})
	return mux
}

func answerOne(conn *h2conn.Conn, then func(*json.Decoder) error) error {
	decoder := json.NewDecoder(conn)
	var message talk.Message
	if err := decoder.Decode(&message); err != nil {
		return err
	}
	if err := json.NewEncoder(conn).Encode(message); err != nil {
		return err
	}
	return then(decoder)
}

// handle reports a conversation once it has ended, under the id of the request's header.
func handle(mux *http.ServeMux, path string, status int, converse conversation) {
	mediaType := "application/octet-stream"
	if path == "/json" {
		mediaType = "application/x-ndjson"
	}
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From-Go", "hello from Go")
		w.Header().Set("Content-Type", mediaType)
		server := h2conn.Server{StatusCode: status}
		conn, err := server.Accept(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusHTTPVersionNotSupported)
			return
		}
		defer conn.Close()
		report, err := converse(conn, r)
		report.ID = r.Header.Get("X-Id")
		talk.Tell(report.Ending(err))
	})
}

func number(r *http.Request, name string) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil || n < 0 {
		panic(http.ErrAbortHandler)
	}
	return n
}
