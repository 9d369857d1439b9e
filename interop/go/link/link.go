// Package link is the client's side of a link (SPEC.md, "Links"): a stream of bytes over one HTTP/2 stream after another.
package link

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	window     = 1 << 20
	maxData    = 16 << 10
	maxControl = 128

	controlFlag  = 1 << 31
	reservedFlag = 1 << 30

	typeAck   = 0x11
	typeEnd   = 0x12
	typeReset = 0x13
	typePing  = 0x14
	typePong  = 0x15
)

// ErrLost is the error of a link that could not continue.
var ErrLost = errors.New("the link is lost")

// errCarrier is why a carrier is given up, and the link is not.
var errCarrier = errors.New("the carrier has ended")

// Do sends the request of a carrier, with this value of h2channel-link and this body.
type Do func(header string, body io.Reader) (*http.Response, error)

// Link is a conn. Its methods may be called by several goroutines.
type Link struct {
	do         Do
	id         string
	peerWindow uint64
	timeout    time.Duration

	mu      sync.Mutex
	changed *sync.Cond
	// What is sent: kept[0] has the offset keptAt, and the end has the offset behind the last byte.
	kept                          []byte
	keptAt, next, acked, accepted uint64
	hasEnded                      bool
	// What has arrived.
	in                       []byte
	received, consumed, told uint64
	peerEnded                bool
	mustAck                  bool
	pongs                    [][]byte
	// The number of the carrier of now: what comes from another one does not count.
	carrier int
	isOver  bool
	err     error
}

// Open sends the first request, and agrees on a link.
func Open(do Do) (*Link, error) {
	body, out := io.Pipe()
	response, err := do(fmt.Sprintf("new; window=%d", window), body)
	if err != nil {
		return nil, err
	}
	id, numbers, err := parse(response.Header.Get("h2channel-link"))
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("no link: status %d, %w", response.StatusCode, err)
	}
	l := &Link{do: do, id: id, peerWindow: numbers["window"], timeout: time.Duration(numbers["timeout"]) * time.Millisecond}
	l.changed = sync.NewCond(&l.mu)
	l.carrier = 1
	go l.run(response, out)
	return l, nil
}

// Carriers returns how many requests have carried it.
func (l *Link) Carriers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carrier
}

// Read waits for bytes of the server. It returns io.EOF at the server's end.
func (l *Link) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.in) == 0 && !l.peerEnded && l.err == nil {
		l.changed.Wait()
	}
	if len(l.in) > 0 {
		n := copy(p, l.in)
		l.in = l.in[n:]
		l.consumed += uint64(n)
		l.consumeEnd()
		l.changed.Broadcast()
		return n, nil
	}
	if l.peerEnded {
		return 0, io.EOF
	}
	return 0, l.err
}

// consumeEnd counts the end as taken, once everything before it was.
func (l *Link) consumeEnd() {
	if l.peerEnded && len(l.in) == 0 {
		l.consumed = l.received
	}
}

// Write waits for room in the window.
func (l *Link) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	written := 0
	for written < len(p) {
		room := l.roomWhenThere()
		if l.err != nil {
			return written, l.err
		}
		n := min(room, uint64(len(p)-written))
		l.kept = append(l.kept, p[written:written+int(n)]...)
		l.accepted += n
		written += int(n)
		l.changed.Broadcast()
	}
	return written, nil
}

// End ends this side's half.
func (l *Link) End() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roomWhenThere()
	if l.err == nil {
		l.hasEnded = true
		l.accepted++
		l.changed.Broadcast()
	}
	return l.err
}

// Wait waits until the server knows that everything has arrived.
func (l *Link) Wait() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.isOver {
		l.changed.Wait()
	}
	return l.err
}

func (l *Link) roomWhenThere() uint64 {
	for l.acked+l.peerWindow == l.accepted && l.err == nil {
		l.changed.Wait()
	}
	return l.acked + l.peerWindow - l.accepted
}

// run serves one carrier after the other.
func (l *Link) run(response *http.Response, out *io.PipeWriter) {
	for {
		number := l.Carriers()
		go l.write(out, number)
		err := l.read(bufio.NewReader(response.Body), number)
		l.mu.Lock()
		isDone := l.isDone()
		l.carrier++
		l.changed.Broadcast()
		l.mu.Unlock()
		response.Body.Close()
		out.CloseWithError(errCarrier)
		if isDone && err == io.EOF {
			l.finish(nil)
			return
		}
		if err != io.EOF && !errors.Is(err, errCarrier) {
			l.finish(err)
			return
		}
		if response, out, err = l.again(); err != nil {
			// The server has forgotten a link of which it knew that all had arrived.
			if isDone && errors.Is(err, ErrLost) {
				err = nil
			}
			l.finish(err)
			return
		}
	}
}

// again asks for carriers until there is one, or none can be.
func (l *Link) again() (*http.Response, *io.PipeWriter, error) {
	for until := time.Now().Add(l.timeout); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		header := fmt.Sprintf("%s; received=%d", l.id, l.received)
		l.mu.Unlock()
		body, out := io.Pipe()
		response, err := l.do(header, body)
		if err != nil {
			continue
		}
		if response.StatusCode == http.StatusGone {
			return nil, nil, fmt.Errorf("%w: the server does not know it", ErrLost)
		}
		id, numbers, err := parse(response.Header.Get("h2channel-link"))
		if err != nil || id != l.id || response.StatusCode != http.StatusOK {
			response.Body.Close()
			continue
		}
		l.mu.Lock()
		received := numbers["received"]
		if received < l.keptAt || received > l.accepted {
			l.mu.Unlock()
			return nil, nil, fmt.Errorf("the server has received %d", received)
		}
		l.forget(received)
		l.next = received
		l.mustAck = true
		l.mu.Unlock()
		return response, out, nil
	}
	return nil, nil, fmt.Errorf("%w: no carrier in %s", ErrLost, l.timeout)
}

func (l *Link) finish(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOver = true
	l.err = err
	l.changed.Broadcast()
}

// isDone reports whether both halves have arrived, and the server was told.
func (l *Link) isDone() bool {
	return l.hasEnded && l.keptAt == l.accepted && l.peerEnded && len(l.in) == 0 && l.told == l.received
}

// forget drops what the server has.
func (l *Link) forget(offset uint64) {
	if offset <= l.keptAt {
		return
	}
	l.kept = l.kept[min(offset-l.keptAt, uint64(len(l.kept))):]
	l.keptAt = offset
}

// write sends records on one carrier, until it is replaced, or everything has arrived.
func (l *Link) write(out *io.PipeWriter, number int) {
	for {
		record := l.nextRecord(number)
		if record == nil {
			out.Close()
			return
		}
		if _, err := out.Write(record); err != nil {
			return
		}
	}
}

// nextRecord waits for something to send. nil: nothing is to follow.
func (l *Link) nextRecord(number int) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.carrier != number || l.isOver:
			return nil
		case l.mustAck || l.consumed > l.told:
			l.mustAck = false
			l.told = l.consumed
			return control(binary.BigEndian.AppendUint64([]byte{typeAck}, l.told))
		case len(l.pongs) > 0:
			pong := l.pongs[0]
			l.pongs = l.pongs[1:]
			return control(append([]byte{typePong}, pong...))
		case l.next < l.keptAt+uint64(len(l.kept)):
			data := l.kept[l.next-l.keptAt:]
			data = data[:min(len(data), maxData)]
			l.next += uint64(len(data))
			return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
		case l.hasEnded && l.next < l.accepted:
			l.next++
			return control([]byte{typeEnd})
		case l.isDone():
			return nil
		}
		l.changed.Wait()
	}
}

// read handles the records of one carrier. It returns io.EOF at its end, errCarrier if it broke, and else why the link ends.
func (l *Link) read(in *bufio.Reader, number int) error {
	for {
		var prefix uint32
		if err := binary.Read(in, binary.BigEndian, &prefix); err != nil {
			if err == io.EOF {
				return io.EOF
			}
			return errCarrier
		}
		length, limit := prefix&^(controlFlag|reservedFlag), uint32(maxData)
		if prefix&controlFlag != 0 {
			limit = maxControl
		}
		if prefix&reservedFlag != 0 || length == 0 || length > limit {
			return fmt.Errorf("a record with the prefix %08x", prefix)
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return errCarrier
		}
		l.mu.Lock()
		if l.carrier != number {
			l.mu.Unlock()
			return errCarrier
		}
		var err error
		if prefix&controlFlag == 0 {
			err = l.onData(body)
		} else {
			err = l.onControl(body)
		}
		l.changed.Broadcast()
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (l *Link) onData(body []byte) error {
	if l.peerEnded {
		return errors.New("data after the end")
	}
	l.received += uint64(len(body))
	if l.received-l.consumed > window {
		return errors.New("more than the window")
	}
	l.in = append(l.in, body...)
	return nil
}

func (l *Link) onControl(body []byte) error {
	switch {
	case body[0] == typeAck && len(body) == 9:
		offset := binary.BigEndian.Uint64(body[1:])
		if offset < l.acked || offset > l.next {
			return fmt.Errorf("an ack of %d after %d, and %d was sent", offset, l.acked, l.next)
		}
		l.acked = offset
		l.forget(offset)
	case body[0] == typeEnd && len(body) == 1:
		if l.peerEnded {
			return errors.New("two ends")
		}
		l.peerEnded = true
		l.received++
		l.consumeEnd()
	case body[0] == typeReset && len(body) == 5:
		return fmt.Errorf("reset with code %d", binary.BigEndian.Uint32(body[1:]))
	case body[0] == typePing:
		l.pongs = append(l.pongs[:min(len(l.pongs), 9)], body[1:])
	}
	return nil
}

func control(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, controlFlag|uint32(len(body))), body...)
}

func parse(header string) (string, map[string]uint64, error) {
	id, rest, _ := strings.Cut(header, ";")
	numbers := map[string]uint64{}
	for _, parameter := range strings.Split(rest, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if number, err := strconv.ParseUint(value, 10, 50); err == nil {
			numbers[name] = number
		}
	}
	if id = strings.TrimSpace(id); len(id) < 22 {
		return "", nil, fmt.Errorf("the header is %q", header)
	}
	return id, numbers, nil
}
