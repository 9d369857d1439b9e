// Command peer chats: each line of its input is a message, and each received message is a line of its output.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/vmihailenco/msgpack/v5"
)

// #region main
func main() {
	url, mediaType, marshal, unmarshal := os.Args[1], os.Args[2], json.Marshal, json.Unmarshal
	if mediaType == "application/vnd.h2channel+msgpack" {
		marshal, unmarshal = msgpack.Marshal, msgpack.Unmarshal
	}
	body, out := io.Pipe()
	request := must(http.NewRequest(http.MethodPost, url, body))
	request.Header = http.Header{"Content-Type": {mediaType}, "Accept": {mediaType}}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)            // for https:
	protocols.SetUnencryptedHTTP2(true) // for http:
	response := must((&http.Client{Transport: &http.Transport{Protocols: protocols}}).Do(request))
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != mediaType {
		log.Fatal("refused: ", response.Status)
	}
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			payload := must(marshal(map[string]string{"text": lines.Text()}))
			must(out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)))
		}
		out.Close() // END_STREAM: this side sends nothing more, but the server may
	}()
	in, length := response.Body, uint32(0)
	err := binary.Read(in, binary.BigEndian, &length)
	for ; err == nil && length <= 4<<20; err = binary.Read(in, binary.BigEndian, &length) {
		var payload bytes.Buffer // grows with the received bytes, whatever length was claimed
		must(io.CopyN(&payload, in, int64(length)))
		var heard map[string]string
		must(0, unmarshal(payload.Bytes(), &heard))
		fmt.Printf("%s: %s\n", heard["from"], heard["text"])
	}
	if err != io.EOF { // only END_STREAM between two frames is the end
		log.Fatal("aborted: ", err, ", length ", length)
	}
}

// #endregion

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
