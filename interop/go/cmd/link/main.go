// Command link sends numbers over a link, and reads them back, while its connections are lost.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"h2channel.test/interop/link"
)

const mediaType = "application/vnd.h2channel+json"

type message struct {
	N int `json:"n"`
}

type report struct {
	Sent     int    `json:"sent"`
	Received int    `json:"received"`
	Carriers int    `json:"carriers"`
	Error    string `json:"error,omitempty"`
}

func main() {
	count, _ := strconv.Atoi(os.Args[2])
	told, err := talk(os.Args[1], count)
	if err != nil {
		told.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(told)
}

func talk(url string, count int) (told report, err error) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	l, err := link.Open(func(header string, body io.Reader) (*http.Response, error) {
		request, err := http.NewRequest(http.MethodPost, url, body)
		if err != nil {
			return nil, err
		}
		request.Header = http.Header{"Content-Type": {mediaType}, "Accept": {mediaType}, "H2channel": {"1"}, "H2channel-Link": {header}}
		// A transport of its own: the connection of the one before may be lost.
		return (&http.Transport{Protocols: protocols}).RoundTrip(request)
	})
	if err != nil {
		return told, err
	}
	sent := make(chan error, 1)
	go func() { sent <- send(l, count, &told.Sent) }()
	told.Received, err = receive(bufio.NewReader(l))
	if failed := <-sent; err == nil {
		err = failed
	}
	if failed := l.Wait(); err == nil {
		err = failed
	}
	told.Carriers = l.Carriers()
	return told, err
}

func send(l *link.Link, count int, sent *int) error {
	for ; *sent < count; *sent++ {
		payload, err := json.Marshal(message{*sent})
		if err != nil {
			return err
		}
		if _, err := l.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return l.End()
}

// receive returns how many numbers came, each once and in order.
func receive(in io.Reader) (int, error) {
	for received := 0; ; {
		var prefix uint32
		if err := binary.Read(in, binary.BigEndian, &prefix); err != nil {
			if err == io.EOF {
				return received, nil
			}
			return received, err
		}
		body := make([]byte, prefix&(1<<30-1))
		if _, err := io.ReadFull(in, body); err != nil {
			return received, err
		}
		if prefix>>31 == 1 {
			continue // a control frame of the channel
		}
		var heard message
		if err := json.Unmarshal(body, &heard); err != nil {
			return received, err
		}
		if heard.N != received {
			return received, fmt.Errorf("%d came instead of %d", heard.N, received)
		}
		received++
	}
}
