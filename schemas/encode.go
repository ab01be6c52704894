package schemas

import (
	"bytes"
	"encoding/json"
)

// AppendJSON appends the message as one JSON object on one line, without a line end, in the form Decode reads.
func (m *Message) AppendJSON(b []byte) []byte {
	var v any
	switch m.Type {
	case TypeSession:
		s := *m.Session
		if s.Turns == nil {
			s.Turns = []Turn{}
		}
		v = struct {
			Type string `json:"type"`
			Session
		}{m.Type, s}
	case TypeTurn:
		v = struct {
			Type string `json:"type"`
			*LiveTurn
		}{m.Type, m.Turn}
	case TypeEnd:
		v = struct {
			Type string `json:"type"`
			*End
		}{m.Type, m.End}
	case TypeOrder:
		v = struct {
			Type string `json:"type"`
			*Order
		}{m.Type, m.Order}
	case TypeRating:
		v = struct {
			Type string `json:"type"`
			*Rating
		}{m.Type, m.Rating}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("schemas: a decoded message always encodes: " + err.Error())
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}
