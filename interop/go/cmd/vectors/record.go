package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// byteOrder is implemented by binary.BigEndian and binary.LittleEndian.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// A fieldType writes and reads a field of size bytes.
type fieldType struct {
	size   int
	append func(body []byte, value any) ([]byte, error)
	decode func(body []byte) (any, error)
}

// parseLayout reads a layout such as `id:u32,side:choice(buy|sell),at:{x:f32,y:f32},tags:text(4)[2]`.
func parseLayout(layout string, order byteOrder) (fieldType, error) {
	p := parser{layout, order}
	record, err := p.record()
	if err == nil && p.rest != "" {
		err = p.wrong()
	}
	return record, err
}

type parser struct {
	rest  string
	order byteOrder
}

var (
	fieldName   = regexp.MustCompile(`^([\w$]+):`)
	simpleType  = regexp.MustCompile(`^(\w+)(?:\(([^)]*)\))?`)
	arrayLength = regexp.MustCompile(`^\[(\d+)\]`)
)

func (p *parser) record() (fieldType, error) {
	var names []string
	var types []fieldType
	for {
		name := p.take(fieldName)
		if name == nil {
			return fieldType{}, p.wrong()
		}
		of, err := p.fieldType()
		if err != nil {
			return fieldType{}, err
		}
		names, types = append(names, name[1]), append(types, of)
		if !p.takeText(",") {
			return record(names, types), nil
		}
	}
}

func (p *parser) fieldType() (of fieldType, err error) {
	if p.takeText("{") {
		if of, err = p.record(); err == nil && !p.takeText("}") {
			err = p.wrong()
		}
	} else if found := p.take(simpleType); found != nil {
		of, err = p.simple(found[1], found[2])
	} else {
		err = p.wrong()
	}
	for err == nil {
		found := p.take(arrayLength)
		if found == nil {
			break
		}
		var length int
		length, err = strconv.Atoi(found[1])
		of = array(of, length)
	}
	return of, err
}

func (p *parser) simple(kind, argument string) (fieldType, error) {
	switch kind {
	case "text", "raw":
		size, err := strconv.Atoi(argument)
		if kind == "text" {
			return text(size), err
		}
		return raw(size), err
	case "choice":
		return choice(strings.Split(argument, "|")), nil
	case "bool":
		return scalar(reflect.TypeFor[bool](), p.order), nil
	}
	if of, found := sizedTypes[kind]; found {
		return scalar(of, p.order), nil
	}
	return fieldType{}, fmt.Errorf("there is no field type %s", kind)
}

func (p *parser) take(pattern *regexp.Regexp) []string {
	found := pattern.FindStringSubmatch(p.rest)
	if found != nil {
		p.rest = p.rest[len(found[0]):]
	}
	return found
}

func (p *parser) takeText(text string) (found bool) {
	p.rest, found = strings.CutPrefix(p.rest, text)
	return found
}

func (p *parser) wrong() error {
	return fmt.Errorf("no layout: %q", p.rest)
}

func scalar(of reflect.Type, order byteOrder) fieldType {
	return fieldType{
		size: int(of.Size()),
		append: func(body []byte, value any) ([]byte, error) {
			v := reflect.ValueOf(value)
			if !v.IsValid() || !v.CanConvert(of) {
				return nil, fmt.Errorf("%v is no %v", value, of)
			}
			return binary.Append(body, order, v.Convert(of).Interface())
		},
		decode: func(body []byte) (any, error) {
			v := reflect.New(of)
			_, err := binary.Decode(body, order, v.Interface())
			return v.Elem().Interface(), err
		},
	}
}

func text(size int) fieldType {
	return fieldType{
		size: size,
		append: func(body []byte, value any) ([]byte, error) {
			s, ok := value.(string)
			if !ok || len(s) > size {
				return nil, fmt.Errorf("%v is no text of %d bytes", value, size)
			}
			return append(append(body, s...), make([]byte, size-len(s))...), nil
		},
		decode: func(body []byte) (any, error) { return string(bytes.TrimRight(body, "\x00")), nil },
	}
}

func raw(size int) fieldType {
	return fieldType{
		size: size,
		append: func(body []byte, value any) ([]byte, error) {
			b, ok := value.([]byte)
			if !ok || len(b) != size {
				return nil, fmt.Errorf("%v are no %d bytes", value, size)
			}
			return append(body, b...), nil
		},
		decode: func(body []byte) (any, error) { return body, nil },
	}
}

func choice(names []string) fieldType {
	return fieldType{
		size: 1,
		append: func(body []byte, value any) ([]byte, error) {
			index := slices.IndexFunc(names, func(name string) bool { return name == value })
			if index < 0 {
				return nil, fmt.Errorf("%v is not one of %v", value, names)
			}
			return append(body, byte(index)), nil
		},
		decode: func(body []byte) (any, error) {
			if int(body[0]) >= len(names) {
				return nil, fmt.Errorf("%d is not an index of %v", body[0], names)
			}
			return names[body[0]], nil
		},
	}
}

func array(item fieldType, length int) fieldType {
	return fieldType{
		size: item.size * length,
		append: func(body []byte, value any) (_ []byte, err error) {
			items, ok := value.([]any)
			if !ok || len(items) != length {
				return nil, fmt.Errorf("%v is no array of %d", value, length)
			}
			for _, one := range items {
				if body, err = item.append(body, one); err != nil {
					return nil, err
				}
			}
			return body, nil
		},
		decode: func(body []byte) (any, error) {
			items := make([]any, length)
			for i, piece := range slices.Collect(slices.Chunk(body, item.size)) {
				var err error
				if items[i], err = item.decode(piece); err != nil {
					return nil, err
				}
			}
			return items, nil
		},
	}
}

func record(names []string, types []fieldType) fieldType {
	size := 0
	for _, of := range types {
		size += of.size
	}
	return fieldType{
		size: size,
		append: func(body []byte, value any) (_ []byte, err error) {
			fields, ok := value.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%v is no record", value)
			}
			for i, of := range types {
				if body, err = of.append(body, fields[names[i]]); err != nil {
					return nil, fmt.Errorf("%s: %w", names[i], err)
				}
			}
			return body, nil
		},
		decode: func(body []byte) (any, error) {
			if len(body) != size {
				return nil, fmt.Errorf("a record of %d bytes, not %d", len(body), size)
			}
			fields := make(map[string]any, len(types))
			for i, of := range types {
				var err error
				if fields[names[i]], err = of.decode(body[:of.size]); err != nil {
					return nil, fmt.Errorf("%s: %w", names[i], err)
				}
				body = body[of.size:]
			}
			return fields, nil
		},
	}
}
