// Command conformance is a minimal peer (CONF-1 of SPEC.md) in Go, with net/http alone. It serves the routes of
// spec/vectors/README.md, prints the address that it listens on, and exits when its standard input ends.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"h2channel.test/interop/talk"
)

const (
	format     = "application/vnd.h2channel+json"
	limit      = 4 << 20
	prefixSize = 4
	grace      = time.Second
)

// A route answers the messages of a channel. An error ends the channel.
type route func(channel *channel, name string) error

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(serve), ErrorLog: log.New(io.Discard, "", 0), Protocols: &http.Protocols{}}
	server.Protocols.SetUnencryptedHTTP2(true)
	talk.Tell(map[string]string{"address": listener.Addr().String()})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(server.Serve(listener))
}

func serve(w http.ResponseWriter, r *http.Request) {
	answer, name, status := match(r.URL.EscapedPath())
	if status == 0 {
		status = check(r)
	}
	if status != 0 {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "POST")
		}
		http.Error(w, http.StatusText(status), status)
		discard(http.NewResponseController(w), r.Body)
		return
	}
	w.Header().Set("Content-Type", format)
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if err := control.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
	c := &channel{in: r.Body, out: w, flush: control.Flush, limit: limit}
	if err := answer(c, name); err != nil {
		// net/http chooses the code of the reset, which is INTERNAL_ERROR.
		panic(http.ErrAbortHandler)
	}
	// The handler's return ends both halves, and the client may still send.
	_, _ = io.Copy(io.Discard, r.Body)
}

// discard reads what the client still sends, for a second. Without it, net/http resets the stream at once (ANS-5).
func discard(control *http.ResponseController, body io.Reader) {
	if control.Flush() == nil && control.SetReadDeadline(time.Now().Add(grace)) == nil {
		_, _ = io.Copy(io.Discard, body)
	}
}

// match finds a route by the segments of a path (PATH-1 to PATH-4).
func match(path string) (answer route, name string, status int) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil || !utf8.ValidString(decoded) {
			// It equals no literal, and is no parameter.
			decoded = "\xff"
		}
		segments[i] = decoded
	}
	if len(segments) < 3 || segments[0] != "" || segments[1] != "conformance" {
		return nil, "", http.StatusNotFound
	}
	switch rest := segments[2:]; {
	case len(rest) == 1 && rest[0] == "echo":
		return echo, "", 0
	case len(rest) == 1 && rest[0] == "strict":
		return strict, "", 0
	case len(rest) == 1 && rest[0] == "small":
		return small, "", 0
	case len(rest) == 1 && rest[0] == "fail":
		return fail, "", 0
	case len(rest) == 2 && rest[0] == "params" && rest[1] != "":
		if rest[1] == "literal" {
			return literal, "", 0
		}
		return named("name"), rest[1], refusal(rest[1])
	case len(rest) == 2 && rest[0] != "" && rest[1] == "below":
		return named("kind"), rest[0], refusal(rest[0])
	}
	return nil, "", http.StatusNotFound
}

// refusal returns the status of a refusal for a parameter, or 0 (PATH-4).
func refusal(parameter string) int {
	switch parameter {
	case ".", "..", "\xff":
		return http.StatusBadRequest
	}
	return 0
}

// check returns the status of a refusal, or 0 (ANS-8).
func check(r *http.Request) int {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
	default:
		return http.StatusForbidden
	}
	if origin := r.Header.Values("Origin"); len(origin) > 0 && origin[0] != "http://"+r.Host {
		return http.StatusForbidden
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return http.StatusMethodNotAllowed
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return http.StatusUnsupportedMediaType
	}
	if parse(r.Header.Get("Content-Type")) != format {
		return http.StatusUnsupportedMediaType
	}
	if accept := r.Header.Values("Accept"); len(accept) > 0 && quality(strings.Join(accept, ",")) == 0 {
		return http.StatusNotAcceptable
	}
	return 0
}

// parse returns a media type. A type with parameters is another type, and so is a malformed one: for both it is "".
func parse(text string) string {
	// The library unquotes only some characters.
	text = quoted.ReplaceAllStringFunc(text, func(value string) string {
		return escaped.ReplaceAllString(value, "$1$2")
	})
	kind, parameters, err := mime.ParseMediaType(text)
	// The library accepts a parameter twice, which the format has not once (TYPE-4).
	if err != nil || strings.Count(strings.ToLower(text), "charset") > 1 {
		return ""
	}
	for name, value := range parameters {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return ""
		}
	}
	return kind
}

var (
	quoted  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	escaped = regexp.MustCompile(`\\([^"\\])|(\\.)`)
	// Up to the next comma outside of quotes. A quote that is not closed lasts to the end.
	member = regexp.MustCompile(`(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|\\?$))+`)
	// The first q ends the media type. What follows the weight has no meaning.
	weighted = regexp.MustCompile(`(?i)^([^"]*?);[ \t]*q=([^;]*)`)
	qvalue   = regexp.MustCompile(`^(0(\.\d{0,3})?|1(\.0{0,3})?)$`)
)

// quality returns the quality of the only format (NEG-2 to NEG-4). Only members without quotes can name it.
func quality(accept string) float64 {
	found := map[string]float64{}
	for _, text := range member.FindAllString(accept, -1) {
		weight := "1"
		if parts := weighted.FindStringSubmatch(text); parts != nil {
			text, weight = parts[1], strings.Trim(parts[2], " \t")
		}
		kind := parse(text)
		if _, isKnown := found[kind]; isKnown || !qvalue.MatchString(weight) {
			continue
		}
		found[kind], _ = strconv.ParseFloat(weight, 64)
	}
	for _, kind := range []string{format, "application/*", "*/*"} {
		if quality, isNamed := found[kind]; isNamed {
			return quality
		}
	}
	return 0
}

func echo(c *channel, _ string) error {
	return c.each(c.send)
}

func strict(c *channel, _ string) error {
	return c.each(func(text []byte) error {
		var message struct{ N *int64 }
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&message); err != nil {
			return err
		}
		if message.N == nil {
			return errors.New("INVALID_MESSAGE")
		}
		return c.send(text)
	})
}

func small(c *channel, _ string) error {
	c.limit = 1024
	return c.each(c.send)
}

func fail(c *channel, _ string) error {
	if _, err := c.receive(); err != nil && err != io.EOF {
		return err
	}
	return errors.New("a secret of the server")
}

// named answers with the parameter of the path.
func named(property string) route {
	return func(c *channel, parameter string) error {
		text, err := json.Marshal(map[string]string{property: parameter})
		if err != nil {
			return err
		}
		return c.send(text)
	}
}

func literal(c *channel, _ string) error {
	return c.send([]byte(`{"literal":true}`))
}

// A channel has length-prefixed JSON texts, without control frames.
type channel struct {
	in    io.Reader
	out   io.Writer
	flush func() error
	limit uint32
}

// each answers messages until the client has ended its half.
func (c *channel) each(answer func(text []byte) error) error {
	for {
		text, err := c.receive()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = answer(text)
		}
		if err != nil {
			return err
		}
	}
}

// receive returns io.EOF at the end between two messages, and any other error within one (FRAME-4).
func (c *channel) receive() ([]byte, error) {
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(c.in, prefix[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(prefix[:])
	if length>>30 != 0 {
		return nil, errors.New("INVALID_FRAME")
	}
	if length > c.limit {
		return nil, errors.New("MESSAGE_TOO_LARGE")
	}
	// Memory grows with what arrives (FRAME-3).
	text, err := io.ReadAll(io.LimitReader(c.in, int64(length)))
	if err != nil {
		return nil, err
	}
	if len(text) < int(length) {
		return nil, io.ErrUnexpectedEOF
	}
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errors.New("INVALID_MESSAGE")
	}
	return text, nil
}

func (c *channel) send(text []byte) error {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, prefixSize+len(text)), uint32(len(text)))
	if _, err := c.out.Write(append(frame, text...)); err != nil {
		return err
	}
	return c.flush()
}
