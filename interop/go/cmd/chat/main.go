// Command chat serves the route /chat in cleartext, at the address of its argument. It sends each message back.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

const mediaType = "application/vnd.h2channel+json"

// #region serve
func serve(w http.ResponseWriter, r *http.Request) {
	get, accept := r.Header.Get, r.Header.Get("Accept")+","
	switch {
	case r.ProtoMajor < 2:
		http.Error(w, "a channel needs HTTP/2", http.StatusHTTPVersionNotSupported)
	case r.URL.Path != "/chat":
		http.NotFound(w, r)
	case get("Origin") != "" || get("Sec-Fetch-Site") != "":
		http.Error(w, "not for web pages", http.StatusForbidden)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a channel is opened with POST", http.StatusMethodNotAllowed)
	case get("Content-Type") != mediaType || get("Content-Encoding") != "":
		w.Header().Set("Accept", mediaType)
		http.Error(w, "expected "+mediaType, http.StatusUnsupportedMediaType)
	case accept != "," && !strings.Contains(accept, "*/*") && !strings.Contains(accept, mediaType+","):
		http.Error(w, "only "+mediaType, http.StatusNotAcceptable)
	default:
		w.Header().Set("Content-Type", mediaType)
		if err := chat(w, r.Body); err != nil {
			panic(http.ErrAbortHandler) // resets the stream, which is an error for the client, and not an end
		}
	}
}

func chat(w http.ResponseWriter, in io.Reader) error {
	if err := send(w, "server", "welcome"); err != nil {
		return err
	}
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			return send(w, "server", "bye") // the client has ended its half; the return ends this one
		} else if err != nil || length > 4<<20 {
			return fmt.Errorf("a message of %d bytes: %w", length, err)
		}
		var payload bytes.Buffer // grows with the received bytes, whatever length was claimed
		if _, err := io.CopyN(&payload, in, int64(length)); err != nil {
			return err
		}
		var said struct{ Text string }
		if err := json.Unmarshal(payload.Bytes(), &said); err != nil {
			return err
		}
		if err := send(w, "echo", said.Text); err != nil {
			return err
		}
	}
}

func send(w http.ResponseWriter, from, text string) error {
	payload, _ := json.Marshal(map[string]string{"from": from, "text": text})
	if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// #endregion

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	fmt.Println(listener.Addr())
	log.Fatal((&http.Server{Handler: http.HandlerFunc(serve), Protocols: protocols}).Serve(listener))
}
