package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Messages in the files: JSON, with an object of one key "$…" for a value that JSON lacks.

var sizedTypes = map[string]reflect.Type{
	"u8":  reflect.TypeFor[uint8](),
	"u16": reflect.TypeFor[uint16](),
	"u32": reflect.TypeFor[uint32](),
	"u64": reflect.TypeFor[uint64](),
	"i8":  reflect.TypeFor[int8](),
	"i16": reflect.TypeFor[int16](),
	"i32": reflect.TypeFor[int32](),
	"i64": reflect.TypeFor[int64](),
	"f32": reflect.TypeFor[float32](),
	"f64": reflect.TypeFor[float64](),
}

// parse reads a message. An integer becomes an int, every other number a float64.
func parse(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var notation any
	if err := decoder.Decode(&notation); err != nil {
		return nil, err
	}
	return fromNotation(notation)
}

func fromNotation(notation any) (any, error) {
	switch notation := notation.(type) {
	case json.Number:
		if n, err := strconv.Atoi(string(notation)); err == nil {
			return n, nil
		}
		return notation.Float64()
	case []any:
		items := make([]any, len(notation))
		for i, item := range notation {
			var err error
			if items[i], err = fromNotation(item); err != nil {
				return nil, err
			}
		}
		return items, nil
	case map[string]any:
		fields := make(map[string]any, len(notation))
		for key, value := range notation {
			if tag, found := strings.CutPrefix(key, "$"); found && len(notation) == 1 {
				return fromTag(tag, value)
			}
			var err error
			if fields[key], err = fromNotation(value); err != nil {
				return nil, err
			}
		}
		return fields, nil
	}
	return notation, nil
}

func fromTag(tag string, inner any) (any, error) {
	if sized, found := sizedTypes[tag]; found {
		return convert(inner, sized)
	}
	if tag == "ext" {
		return toExtension(inner)
	}
	text, ok := inner.(string)
	if !ok {
		return nil, fmt.Errorf("$%s takes a string", tag)
	}
	switch tag {
	case "bigint":
		if n, err := strconv.Atoi(text); err == nil {
			return n, nil
		}
		return strconv.ParseUint(text, 10, 64)
	case "bytes":
		return hex.DecodeString(text)
	case "date":
		return time.Parse(time.RFC3339, text)
	case "float":
		return strconv.ParseFloat(text, 64)
	}
	return nil, fmt.Errorf("there is no notation $%s", tag)
}

// toExtension accepts a pair of the type's number and the data in hex.
func toExtension(inner any) (any, error) {
	if pair, ok := inner.([]any); ok && len(pair) == 2 {
		id, err := strconv.ParseInt(fmt.Sprint(pair[0]), 10, 8)
		if err != nil {
			return nil, err
		}
		data, err := hex.DecodeString(fmt.Sprint(pair[1]))
		return extension{int8(id), data}, err
	}
	return nil, fmt.Errorf("$ext takes a pair, not %v", inner)
}

func convert(notation any, to reflect.Type) (any, error) {
	number, err := fromNotation(notation)
	if err != nil {
		return nil, err
	}
	value := reflect.ValueOf(number)
	if !value.IsValid() || !value.CanConvert(to) {
		return nil, fmt.Errorf("%v is no %v", number, to)
	}
	return value.Convert(to).Interface(), nil
}

// same reports whether two messages are equal, whatever types of Go hold their numbers. -0 is not 0, and NaN is NaN.
func same(a, b any) bool {
	return reflect.DeepEqual(normal(a), normal(b))
}

type (
	number  string
	instant string
)

func normal(message any) any {
	switch message := message.(type) {
	case []any:
		items := make([]any, len(message))
		for i, item := range message {
			items[i] = normal(item)
		}
		return items
	case map[string]any:
		fields := make(map[string]any, len(message))
		for key, value := range message {
			fields[key] = normal(value)
		}
		return fields
	case time.Time:
		return instant(message.UTC().Format(time.RFC3339Nano))
	}
	value := reflect.ValueOf(message)
	switch {
	case !value.IsValid():
		return nil
	case value.CanInt():
		return number(strconv.FormatInt(value.Int(), 10))
	case value.CanUint():
		return number(strconv.FormatUint(value.Uint(), 10))
	case value.CanFloat():
		f := value.Float()
		if f == math.Trunc(f) && math.Abs(f) < 1<<63 && !(f == 0 && math.Signbit(f)) {
			return number(strconv.FormatInt(int64(f), 10))
		}
		return number(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return message
}
