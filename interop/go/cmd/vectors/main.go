// Command vectors writes the messages of spec/vectors, or checks those of another language:
//
//	go run ./cmd/vectors write ../../spec/vectors/messages/cases.json > ../../spec/vectors/messages/go.json
//	go run ./cmd/vectors check ../../spec/vectors/messages/typescript.json ../../spec/vectors/messages/python.json
//
// README.md, next to cases.json, describes the files.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
)

// A vector is a message and the whole frame that holds it.
type vector struct {
	Name        string          `json:"name"`
	Codec       string          `json:"codec"`
	ContentType string          `json:"contentType,omitempty"`
	Message     json.RawMessage `json:"message"`
	Frame       string          `json:"frame"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: vectors write|check file…")
	}
	switch os.Args[1] {
	case "write":
		if err := write(os.Args[2]); err != nil {
			log.Fatal(err)
		}
	case "check":
		wrong := 0
		for _, path := range os.Args[2:] {
			wrong += check(path)
		}
		if wrong > 0 {
			os.Exit(1)
		}
	default:
		log.Fatalf("no such command: %q", os.Args[1])
	}
}

// write prints all cases with Go's frames, one per line.
func write(path string) error {
	cases, err := read(path)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	for i, c := range cases {
		frame, err := frameOf(c)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", c.Codec, c.Name, err)
		}
		c.Frame = hex.EncodeToString(frame)
		if i > 0 {
			out.Truncate(out.Len() - 1)
			out.WriteString(",\n")
		}
		if err := encoder.Encode(c); err != nil {
			return err
		}
	}
	_, err = fmt.Printf("[\n%s]\n", &out)
	return err
}

// check returns how many vectors of a file have a frame with another message, and prints them.
func check(path string) int {
	vectors, err := read(path)
	if err != nil {
		log.Fatal(err)
	}
	wrong := 0
	for _, v := range vectors {
		if err := compare(v); err != nil {
			log.Printf("%s: %s: %s: %v", path, v.Codec, v.Name, err)
			wrong++
		}
	}
	fmt.Printf("%d vectors read\n", len(vectors))
	return wrong
}

func read(path string) (vectors []vector, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return vectors, json.Unmarshal(text, &vectors)
}

// frameOf encodes a message: the body's length in four bytes, big-endian, and the body.
func frameOf(v vector) ([]byte, error) {
	codec, err := codecOf(v)
	if err != nil {
		return nil, err
	}
	message, err := parse(v.Message)
	if err != nil {
		return nil, err
	}
	body, err := codec.encode(message)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...), nil
}

// compare decodes a frame, and returns an error unless it holds the vector's message.
func compare(v vector) error {
	codec, err := codecOf(v)
	if err != nil {
		return err
	}
	expected, err := parse(v.Message)
	if err != nil {
		return err
	}
	frame, err := hex.DecodeString(v.Frame)
	if err != nil {
		return err
	}
	if len(frame) < 4 || binary.BigEndian.Uint32(frame) != uint32(len(frame)-4) {
		return fmt.Errorf("a frame of another length than it says")
	}
	message, err := codec.decode(frame[4:])
	if err != nil {
		return err
	}
	if !same(message, expected) {
		return fmt.Errorf("expected %#v, got %#v", expected, message)
	}
	return nil
}
