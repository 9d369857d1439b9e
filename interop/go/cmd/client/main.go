// Command client has one kind of conversation with a server over h2conn, and prints a line of JSON about it. It runs
// until its standard input ends, because its last bytes may still be on their way: Go does not report when they left.
//
// How a client's h2conn.Conn ends:
//
//   - Close ends the request's body: END_STREAM, a true half-close. Reading still works. The context that Close
//     cancels is that of the response's Request, which nothing waits for.
//   - Closing the response's body resets the stream at once.
//   - Cancelling the context of Connect alone does not. While Go's transport waits for a Write it checks nothing else.
//     It resets the stream with the next Write, whose bytes are dropped. With Close, it ends the request's body
//     normally, and resets the stream after that.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/posener/h2conn"
	"golang.org/x/net/http2"

	"h2channel.test/interop/talk"
)

var (
	url    = flag.String("url", "", "where to connect to")
	ca     = flag.String("ca", "", "the file of the certificate to trust; without one, cleartext with prior knowledge")
	kind   = flag.String("talk", "", "what to talk about")
	method = flag.String("method", http.MethodPost, "the request's method; when empty, what h2conn makes of that")
	count  = flag.Int("count", 0, "how many messages or conversations")
	size   = flag.Int64("size", 0, "how many bytes")
	header = make(http.Header)
)

// call is the state of one conversation.
type call struct {
	conn     *h2conn.Conn
	response *http.Response
	cancel   context.CancelFunc
}

// A conversation returns its report, and the error that a Read or Write ended it with.
type conversation func(call) (talk.Report, error)

var conversations = map[string]conversation{
	"json":   converse,
	"fixed":  reversed,
	"struct": delayed,
	"say":    say,
	"listen": listen,
	"wait":   wait,
	"bulk":   bulk,
	// The ways to abort.
	"cancel-write": breakOff(func(c call) error {
		c.cancel()
		_, err := io.WriteString(c.conn, "not to be heard")
		return err
	}),
	"cancel-close": breakOff(func(c call) error {
		c.cancel()
		return c.conn.Close()
	}),
	"close-response": breakOff(func(c call) error {
		return c.response.Body.Close()
	}),
}

func main() {
	flag.Func("header", "a header of the request, as name=value", func(value string) error {
		name, content, _ := strings.Cut(value, "=")
		header.Set(name, content)
		return nil
	})
	flag.Parse()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	client, err := newClient(*ca)
	if err != nil {
		log.Fatal(err)
	}
	if *kind == "many" {
		talk.Tell(many(client))
	} else if converse, known := conversations[*kind]; known {
		talk.Tell(run(client, converse))
	} else {
		log.Fatalf("no such talk: %q", *kind)
	}
	select {}
}

// newClient speaks HTTP/2 only.
func newClient(ca string) (*http.Client, error) {
	if ca == "" {
		return &http.Client{Transport: &http2.Transport{
			AllowHTTP: true,
			DialTLSContext: func(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			},
		}}, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", ca)
	}
	return &http.Client{Transport: &http2.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}, nil
}

// connect makes a conn of any response, whatever its status.
func connect(ctx context.Context, client *http.Client) (*h2conn.Conn, *http.Response, error) {
	h2 := h2conn.Client{Method: *method, Header: header, Client: client}
	return h2.Connect(ctx, *url)
}

func run(client *http.Client, converse conversation) talk.Report {
	ctx, cancel := context.WithCancel(context.Background())
	conn, response, err := connect(ctx, client)
	if err != nil {
		cancel()
		return talk.Report{}.Ending(err)
	}
	// Nothing is cancelled here: bytes that were written before Close may still be on their way, and would be lost.
	defer conn.Close()
	if response.StatusCode >= 300 {
		text, err := io.ReadAll(conn)
		cancel()
		return talk.Report{Status: response.StatusCode, Text: string(text)}.Ending(err)
	}
	report, err := converse(call{conn, response, cancel})
	report.Status = response.StatusCode
	report.Header = response.Header.Get("X-From-Node")
	return report.Ending(err)
}

// converse sends everything while it receives, and ends its half in between.
func converse(c call) (talk.Report, error) {
	go func() {
		encoder := json.NewEncoder(c.conn)
		for n := range *count {
			if encoder.Encode(talk.Message{N: n, Text: fmt.Sprintf("<%d> & \"größer\" \u2028 😀", n)}) != nil {
				return
			}
		}
		c.conn.Close()
	}()
	var report talk.Report
	decoder := json.NewDecoder(c.conn)
	for {
		var message talk.Message
		if err := decoder.Decode(&message); err != nil {
			return report, err
		}
		report.Messages = append(report.Messages, message)
	}
}

// reversed sends buffers of constant size and counts the ones that return reversed, in order.
func reversed(c call) (talk.Report, error) {
	go func() {
		buffer := make([]byte, *size)
		for n := range *count {
			binary.BigEndian.PutUint32(buffer, uint32(n))
			if _, err := c.conn.Write(buffer); err != nil {
				return
			}
		}
		c.conn.Close()
	}()
	buffer := make([]byte, *size)
	for n := 0; ; n++ {
		if _, err := io.ReadFull(c.conn, buffer); err != nil {
			return talk.Report{Count: n}, err
		}
		tail := buffer[len(buffer)-4:]
		if number := binary.LittleEndian.Uint32(tail); number != uint32(n) {
			return talk.Report{Count: n}, fmt.Errorf("buffer %d came back as %d", n, number)
		}
	}
}

// delayed sends records and counts the ones that return with twice the delay, in order.
func delayed(c call) (talk.Report, error) {
	go func() {
		for n := range *count {
			flight := talk.Flight{Delay: int16(-n), Distance: uint16(n), Time: float32(n) / 4}
			if binary.Write(c.conn, binary.BigEndian, flight) != nil {
				return
			}
		}
		c.conn.Close()
	}()
	for n := 0; ; n++ {
		var flight talk.Flight
		if err := binary.Read(c.conn, binary.BigEndian, &flight); err != nil {
			return talk.Report{Count: n}, err
		}
		if want := (talk.Flight{Delay: int16(-2 * n), Distance: uint16(n), Time: float32(n) / 4}); flight != want {
			return talk.Report{Count: n}, fmt.Errorf("flight %d came back as %v", n, flight)
		}
	}
}

// say sends its text, ends its half, and reads the rest.
func say(c call) (talk.Report, error) {
	if _, err := io.WriteString(c.conn, "all that Go says"); err != nil {
		return talk.Report{}, err
	}
	if err := c.conn.Close(); err != nil {
		return talk.Report{}, err
	}
	n, err := io.Copy(io.Discard, c.conn)
	return talk.Report{Bytes: n}, err
}

// listen reads to the server's end, and only then sends its text.
func listen(c call) (talk.Report, error) {
	n, err := io.Copy(io.Discard, c.conn)
	if err != nil {
		return talk.Report{Bytes: n}, err
	}
	_, err = io.WriteString(c.conn, "all that Go says")
	return talk.Report{Bytes: n}, err
}

// wait sends one message, receives one, and waits for the end.
func wait(c call) (talk.Report, error) {
	if err := json.NewEncoder(c.conn).Encode(talk.Message{Text: "ready"}); err != nil {
		return talk.Report{}, err
	}
	decoder := json.NewDecoder(c.conn)
	if err := decoder.Decode(&talk.Message{}); err != nil {
		return talk.Report{}, err
	}
	return talk.Report{}, decoder.Decode(&talk.Message{})
}

// breakOff sends one message, receives one, and aborts in the given way.
func breakOff(how func(call) error) conversation {
	return func(c call) (talk.Report, error) {
		if err := json.NewEncoder(c.conn).Encode(talk.Message{Text: "ready"}); err != nil {
			return talk.Report{}, err
		}
		decoder := json.NewDecoder(c.conn)
		if err := decoder.Decode(&talk.Message{}); err != nil {
			return talk.Report{}, err
		}
		if err := how(c); err != nil {
			return talk.Report{}, err
		}
		return talk.Report{}, decoder.Decode(&talk.Message{})
	}
}

func bulk(c call) (talk.Report, error) {
	return talk.Bulk(c.conn, c.conn, *size, c.conn.Close)
}

// many has all of its conversations at once: none ends before all of them have begun.
func many(client *http.Client) talk.Report {
	var begun, over sync.WaitGroup
	begun.Add(*count)
	errs := make(chan error, *count)
	for n := range *count {
		over.Go(func() { errs <- short(client, n, &begun) })
	}
	over.Wait()
	close(errs)
	var report talk.Report
	for err := range errs {
		if err != nil {
			report.Error = err.Error()
			continue
		}
		report.Count++
	}
	return report
}

func short(client *http.Client, n int, begun *sync.WaitGroup) error {
	begin := sync.OnceFunc(begun.Done)
	defer begin()
	conn, _, err := connect(context.Background(), client)
	if err != nil {
		return err
	}
	defer conn.Close()
	encoder, decoder := json.NewEncoder(conn), json.NewDecoder(conn)
	for round := range 3 {
		said := talk.Message{N: n, Text: fmt.Sprint("round ", round)}
		if err := encoder.Encode(said); err != nil {
			return err
		}
		var heard talk.Message
		if err := decoder.Decode(&heard); err != nil {
			return err
		}
		if heard != said {
			return fmt.Errorf("said %v, heard %v", said, heard)
		}
		if round == 0 {
			begin()
			begun.Wait()
		}
	}
	if err := conn.Close(); err != nil {
		return err
	}
	if err := decoder.Decode(&talk.Message{}); err != io.EOF {
		return fmt.Errorf("expected the end, got %v", err)
	}
	return nil
}
