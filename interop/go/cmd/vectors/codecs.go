package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

type codec struct {
	encode func(any) ([]byte, error)
	decode func([]byte) (any, error)
}

// codecOf is the codec of a vector: its content type has the fields of a record, or the fixed size of bytes.
func codecOf(v vector) (codec, error) {
	switch v.Codec {
	case "json":
		return codec{json.Marshal, decodeJSON}, nil
	case "msgpack":
		return codec{encodeMsgpack, decodeMsgpack}, nil
	case "struct":
		return structOf(v.ContentType)
	case "bytes":
		return bytesOf(v.ContentType)
	}
	return codec{}, fmt.Errorf("there is no codec %s", v.Codec)
}

func decodeJSON(body []byte) (message any, err error) {
	return message, json.Unmarshal(body, &message)
}

// encodeMsgpack sorts keys, because the order of a map in Go changes every time.
func encodeMsgpack(message any) ([]byte, error) {
	var body bytes.Buffer
	encoder := msgpack.NewEncoder(&body)
	encoder.SetSortMapKeys(true)
	err := encoder.Encode(message)
	return body.Bytes(), err
}

func decodeMsgpack(body []byte) (any, error) {
	reader := bytes.NewReader(body)
	message, err := msgpack.NewDecoder(reader).DecodeInterface()
	if err == nil && reader.Len() > 0 {
		err = fmt.Errorf("%d bytes after the message", reader.Len())
	}
	return message, err
}

// An extension is a value of an extension type of MessagePack.
type extension struct {
	id   int8
	data []byte
}

func (e extension) EncodeMsgpack(encoder *msgpack.Encoder) error {
	if err := encoder.EncodeExtHeader(e.id, len(e.data)); err != nil {
		return err
	}
	_, err := encoder.Writer().Write(e.data)
	return err
}

func init() {
	for id := range 128 {
		msgpack.RegisterExtDecoder(int8(id), extension{}, func(decoder *msgpack.Decoder, value reflect.Value, size int) error {
			data := make([]byte, size)
			value.Set(reflect.ValueOf(extension{int8(id), data}))
			return decoder.ReadFull(data)
		})
	}
}

var (
	layoutParameter = regexp.MustCompile(`; layout="([^"]*)"`)
	sizeParameter   = regexp.MustCompile(`; size=(\d+)`)
)

func structOf(contentType string) (codec, error) {
	layout := layoutParameter.FindStringSubmatch(contentType)
	if layout == nil {
		return codec{}, fmt.Errorf("no layout in %s", contentType)
	}
	var order byteOrder = binary.BigEndian
	if strings.HasSuffix(contentType, "; endian=little") {
		order = binary.LittleEndian
	}
	record, err := parseLayout(layout[1], order)
	encode := func(message any) ([]byte, error) { return record.append(nil, message) }
	return codec{encode, record.decode}, err
}

func bytesOf(contentType string) (codec, error) {
	size := -1
	if found := sizeParameter.FindStringSubmatch(contentType); found != nil {
		size, _ = strconv.Atoi(found[1])
	}
	checked := func(message any) ([]byte, error) {
		body, ok := message.([]byte)
		if !ok || size >= 0 && len(body) != size {
			return nil, fmt.Errorf("expected bytes of size %d, got %v", size, message)
		}
		return body, nil
	}
	return codec{checked, func(body []byte) (any, error) { return checked(body) }}, nil
}
