package kie

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// candidate is the task id of an answer to a submission outside of its documented
// places. Such an answer is all that is left of a payment, so it is read as leniently
// as possible, and the id counts only if it is the only one.
type candidate struct {
	id string
	// accepted means that the answer has kie.ai's code of success.
	accepted bool
}

// candidate searches the body. It trusts no refusal that it finds there: text around
// an envelope may be the page of a proxy.
func (a answer) candidate() candidate {
	fields, data, accepted := a.fields, a.data, a.hasCode && a.code == http.StatusOK
	if a.err != nil {
		fields = wrappedObject(a.raw)
		data = fields.child("data")
		code, _ := fields.integer("code")
		accepted = code == http.StatusOK
	}
	for _, ids := range [][]string{taskIDs(fields, data), namedTaskIDs(a.raw), likelyTaskIDs(fields, accepted)} {
		if len(ids) == 1 {
			return candidate{ids[0], accepted}
		}
		if len(ids) > 1 {
			break
		}
	}
	return candidate{accepted: accepted}
}

// wrappedObject returns the one JSON object in a text, nil if it has none or several.
func wrappedObject(text []byte) object {
	first, last := bytes.IndexByte(text, '{'), bytes.LastIndexByte(text, '}')
	if first < 0 || last < first {
		return nil
	}
	fields, err := parseObject(text[first : last+1])
	if err != nil {
		return nil
	}
	return fields
}

// namedTaskID matches a task id and its name in any spelling, also in a body that
// breaks off, in JSON within a string, and in XML. The character after the id proves
// that the id is complete.
var namedTaskID = regexp.MustCompile(`(?i)\btask[_ -]?id\\*["']?\s*[:=>]\s*\\*["']?([a-z0-9][a-z0-9_.:-]+)\\*["'<&,;}\])\s]`)

// minTaskID bounds, in bytes, an id outside of its documented places.
const minTaskID = 4

// namedTaskIDs returns at most two distinct ids.
func namedTaskIDs(text []byte) []string {
	var ids []string
	for len(ids) < 2 {
		found := namedTaskID.FindSubmatchIndex(text)
		if found == nil {
			break
		}
		id := strings.TrimRight(string(text[found[2]:found[3]]), ".:")
		if len(id) >= minTaskID && len(id) <= maxTaskID && !slices.Contains(noTaskIDs, strings.ToLower(id)) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		text = text[found[3]:]
	}
	return ids
}

var noTaskIDs = []string{"null", "none", "undefined", "true", "false"}

// likelyTaskIDs returns at most two distinct ids in data that have no name: data may
// be the id itself, a list of it, or an object with a field like "id".
func likelyTaskIDs(fields object, accepted bool) []string {
	if !accepted {
		// Data of an error is most often its id in the provider's log.
		return nil
	}
	var ids []string
	collectIDs(fields["data"], true, maxNesting, &ids)
	return ids
}

// maxNesting bounds the depth in data at which ids are searched.
const maxNesting = 4

// idNames are the names of fields that may hold a task id, in lower case and without
// separators.
var idNames = []string{"id", "ids", "taskid", "taskids", "recordid", "jobid", "generationid"}

// collectIDs appends the likely ids of a value. With named, the value itself or its
// elements may be ids.
func collectIDs(raw json.RawMessage, named bool, depth int, ids *[]string) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || depth == 0 || len(*ids) > 1 {
		return
	}
	switch raw[0] {
	case '"':
		text := strings.TrimSpace(asText(raw))
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			collectIDs(json.RawMessage(text), named, depth-1, ids)
		} else if named && likelyID.MatchString(text) && strings.ContainsAny(text, "0123456789") && !slices.Contains(*ids, text) {
			*ids = append(*ids, text)
		}
	case '[':
		decoder := json.NewDecoder(bytes.NewReader(raw))
		if _, err := decoder.Token(); err != nil {
			return
		}
		for elements := 0; decoder.More() && len(*ids) < 2 && elements < maxTexts; elements++ {
			var element json.RawMessage
			if decoder.Decode(&element) != nil {
				return
			}
			collectIDs(element, named, depth-1, ids)
		}
	case '{':
		fields, err := parseObject(raw)
		if err != nil {
			return
		}
		for name, value := range fields {
			plain := strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
			collectIDs(value, slices.Contains(idNames, plain), depth-1, ids)
		}
	}
}

// likelyID matches ids like kie.ai's, which have 32 to 41 characters.
var likelyID = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
