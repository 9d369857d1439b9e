// Package talk has the conversations that server and client share, and their reports to the test.
package talk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
)

// Message is one JSON message of a conversation.
type Message struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

// Flight is a record of constant size, big-endian as `struct` of @h2channel/codecs writes it.
type Flight struct {
	Delay    int16
	Distance uint16
	Time     float32
}

// Report describes one conversation to the test.
type Report struct {
	ID       string    `json:"id,omitempty"`
	Status   int       `json:"status,omitempty"`
	Method   string    `json:"method,omitempty"`
	Header   string    `json:"header,omitempty"`
	Messages []Message `json:"messages,omitempty"`
	Text     string    `json:"text,omitempty"`
	Bytes    int64     `json:"bytes,omitempty"`
	Count    int       `json:"count,omitempty"`
	Sent     string    `json:"sent,omitempty"`
	Received string    `json:"received,omitempty"`
	// Error is the error that ended it, unless it ended cleanly.
	Error string `json:"error,omitempty"`
	// EOF reports whether Go saw a clean end.
	EOF bool `json:"eof,omitempty"`
}

var stdout sync.Mutex

// Tell prints one line of JSON for the test.
func Tell(line any) {
	stdout.Lock()
	defer stdout.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		os.Exit(1)
	}
}

// Ending is the report of a conversation that a Read or Write ended with err.
func (r Report) Ending(err error) Report {
	if err == nil {
		return r
	}
	if errors.Is(err, io.EOF) {
		r.EOF = true
		return r
	}
	r.Error = err.Error()
	return r
}

// Replies repeats every message as often as its number modulo 3, and returns the received messages at the peer's end.
func Replies(in io.Reader, out io.Writer) ([]Message, error) {
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	var received []Message
	for {
		var message Message
		if err := decoder.Decode(&message); err != nil {
			return received, err
		}
		received = append(received, message)
		for range message.N % 3 {
			if err := encoder.Encode(message); err != nil {
				return received, err
			}
		}
	}
}

// Reverse sends every buffer of size bytes back with its bytes in reverse order, and returns how many there were.
func Reverse(in io.Reader, out io.Writer, size int) (int, error) {
	buffer := make([]byte, size)
	for count := 0; ; count++ {
		if _, err := io.ReadFull(in, buffer); err != nil {
			return count, err
		}
		slices.Reverse(buffer)
		if _, err := out.Write(buffer); err != nil {
			return count, err
		}
	}
}

// Delays answers every flight with one of twice the delay, and returns how many there were.
func Delays(in io.Reader, out io.Writer) (int, error) {
	for count := 0; ; count++ {
		var flight Flight
		if err := binary.Read(in, binary.BigEndian, &flight); err != nil {
			return count, err
		}
		flight.Delay *= 2
		if err := binary.Write(out, binary.BigEndian, flight); err != nil {
			return count, err
		}
	}
}

// Bulk sends size bytes, calls end, and reads to the peer's end, both at once.
// It reports the SHA-256 of each direction.
func Bulk(in io.Reader, out io.Writer, size int64, end func() error) (Report, error) {
	var report Report
	sending := make(chan error, 1)
	go func() {
		hash := sha256.New()
		err := pour(io.MultiWriter(out, hash), size)
		report.Sent = hex.EncodeToString(hash.Sum(nil))
		if err == nil {
			err = end()
		}
		sending <- err
	}()
	hash := sha256.New()
	n, err := io.CopyBuffer(hash, struct{ io.Reader }{in}, make([]byte, 64*1024))
	sent := <-sending
	report.Bytes = n
	report.Received = hex.EncodeToString(hash.Sum(nil))
	return report, errors.Join(err, sent)
}

// pour writes size bytes, of which no two blocks are the same.
func pour(out io.Writer, size int64) error {
	block := bytes.Repeat([]byte("each block differs from the others in its number at the start"), 64*1024/61)
	for number := uint64(0); size > 0; number++ {
		binary.BigEndian.PutUint64(block, number)
		piece := block[:min(int64(len(block)), size)]
		if _, err := out.Write(piece); err != nil {
			return err
		}
		size -= int64(len(piece))
	}
	return nil
}
