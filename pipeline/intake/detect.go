package intake

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// detect finds the format of a source by its content where that is certain, else by its extension.
func detect(s *source, mapped bool) (string, error) {
	head, _ := s.br.Peek(8)
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return FormatParquet, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return FormatXLSX, nil
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return "", &Error{File: s.name, Problem: "is an old .xls file or an encrypted workbook", Hint: "save it as .xlsx without a password, or as CSV"}
	}
	format := known[s.ext()]
	if format != "" && format != FormatJSON {
		return format, nil
	}
	b, _ := s.br.Peek(sniffBytes)
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(b, []byte("WEBVTT")):
		return FormatVTT, nil
	case srtHead.Match(b):
		return FormatSRT, nil
	case bytes.HasPrefix(b, []byte("<")):
		return "", &Error{File: s.name, Problem: "is an HTML or XML file", Hint: "open it in a spreadsheet program and save it as .xlsx or CSV"}
	case bytes.HasPrefix(b, []byte("{")), bytes.HasPrefix(b, []byte("[")):
		return detectJSON(b), nil
	}
	switch {
	case format != "":
		return format, nil
	case mapped:
		return FormatCSV, nil
	case len(b) == 0:
		return FormatJSONL, nil
	case s.name == "-" || s.ext() == ".log" || s.ext() == ".txt":
		return FormatJSONL, nil
	}
	return "", &Error{File: s.name, Problem: "cannot tell its format", Hint: "name it with --format, known extensions are " + knownList()}
}

var srtHead = regexp.MustCompile(`^\d+[ \t]*\r?\n[ \t]*\d+:\d+:\d+[,.]\d+[ \t]*-->`)

// detectJSON tells lines of messages from a JSON document and from a speech recogniser's result, by the first bytes.
func detectJSON(b []byte) string {
	keys := topKeys(b)
	line, _, more := bytes.Cut(b, []byte("\n"))
	oneLine := more && b[0] == '{' && json.Valid(line)
	switch {
	case oneLine && !keys["segments"] && !keys["transcription"]:
		return FormatJSONL
	case keys["session_id"] || keys["turns"] || keys["type"] && !keys["segments"] || keys["order_id"]:
		return FormatJSON
	case keys["segments"] || keys["transcription"] || keys["word_segments"]:
		return FormatWhisper
	case keys["text"] && keys["start"] && keys["end"]: // a bare list of segments
		return FormatWhisper
	case keys["text"] && len(keys) == 1 && b[0] == '{': // a long text first, the segments behind it
		return FormatWhisper
	}
	return FormatJSON
}

// topKeys lists the keys of the first object, or of the first object in an array, as far as b goes.
func topKeys(b []byte) map[string]bool {
	keys := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(b))
	depth, obj := 0, 0 // obj is the depth inside the object whose keys are wanted
	isKey := false
	for {
		t, err := d.Token()
		if err != nil {
			return keys
		}
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				depth++
				if v == '{' && obj == 0 && depth <= 2 {
					obj = depth
				}
			default:
				depth--
				if depth < obj {
					return keys
				}
			}
			isKey = depth == obj && obj > 0
			continue
		case string:
			if isKey {
				keys[v] = true
				isKey = false
				continue
			}
		}
		isKey = depth == obj && obj > 0
	}
}
