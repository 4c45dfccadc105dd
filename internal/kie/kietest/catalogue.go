package kietest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// catalogueModel is a model of the simulated catalogue.
type catalogueModel struct {
	provider, taskType, price string
	// video is the field of the source, empty for a model that takes none.
	video string
	list  bool
	// options are the further fields with their JSON types.
	options map[string]string
}

// catalogue are models of Market. acme/restyle is one that clients have no table of,
// acme/text-to-video one without a source.
var catalogue = map[string]*catalogueModel{
	"wan/2-7-videoedit":                  {"Wan", "Video to Video", "720p: 80 credits ($0.40)", "video_url", false, map[string]string{"resolution": "string", "seed": "integer"}},
	"happyhorse/video-edit":              {"HappyHorse", "Video to Video", "720p: 28 credits ($0.14) per second", "video_url", false, map[string]string{"resolution": "string"}},
	"kling-3.0-omni/transformation":      {"Kling", "Video to Video", "160 credits ($0.80)", "video_urls", true, map[string]string{"resolution": "string"}},
	"bytedance/seedance-2-5":             {"ByteDance", "Reference to Video", "61 credits ($0.31)", "reference_video_urls", true, map[string]string{"duration": "integer"}},
	"wan/2-6-video-to-video":             {"Wan", "Video to Video", "70 credits ($0.35)", "video_urls", true, map[string]string{"duration": "string"}},
	"wan/2-6-flash-video-to-video":       {"Wan", "Video to Video", "720p: 40 credits ($0.20)", "video_urls", true, map[string]string{"duration": "string", "audio": "boolean"}},
	"kling-3.0/motion-control":           {"Kling", "Motion Control", "720p: 20 credits ($0.10) per second", "video_urls", true, map[string]string{"input_urls": "array"}},
	"wan/2-2-animate-replace":            {"Wan", "Video to Video", "480p: 6 credits ($0.03) per second", "video_url", false, map[string]string{"image_url": "string"}},
	"wan/2-2-animate-move":               {"Wan", "Video to Video", "480p: 6 credits ($0.03) per second", "video_url", false, map[string]string{"image_url": "string"}},
	"topaz/video-upscale":                {"Topaz", "Video to Video", "8 credits ($0.04) per second", "video_url", false, map[string]string{"upscale_factor": "string"}},
	"volcengine/video-to-video-lip-sync": {"Volcengine", "Video to Video", "20 credits ($0.10)", "video_url", false, map[string]string{"mode": "string", "audio_url": "string"}},
	"acme/restyle":                       {"Acme", "Video to Video", "10 credits ($0.05)", "video_urls", true, map[string]string{"strength": "number", "style": "string"}},
	"acme/text-to-video":                 {"Acme", "Text to Video", "10 credits ($0.05)", "", false, map[string]string{"duration": "integer"}},
}

// listModels is GET /api/v1/models. Nothing found is no error.
func (s *Server) listModels(w http.ResponseWriter, r *http.Request) {
	if !s.admitCatalogue(w) {
		return
	}
	query := r.URL.Query()
	models := []map[string]any{}
	for name, model := range catalogue {
		if !strings.Contains(name, strings.ToLower(query.Get("q"))) || query.Has("taskType") && query.Get("taskType") != model.taskType ||
			query.Has("provider") && !strings.EqualFold(query.Get("provider"), model.provider) {
			continue
		}
		models = append(models, map[string]any{"model": name, "slug": strings.ReplaceAll(name, "/", "-"), "title": name, "provider": model.provider,
			"taskType": []string{model.taskType}, "description": nil, "pricingDesc": model.price})
	}
	slices.SortFunc(models, func(a, b map[string]any) int { return strings.Compare(a["model"].(string), b["model"].(string)) })
	accept(w, map[string]any{"total": len(models), "models": models})
}

// describeModel is GET /api/v1/models/{model}/schema, price and success-rate.
func (s *Server) describeModel(w http.ResponseWriter, r *http.Request) {
	if !s.admitCatalogue(w) {
		return
	}
	path := r.PathValue("path")
	cut := strings.LastIndexByte(path, '/')
	if cut < 0 {
		http.NotFound(w, r)
		return
	}
	name, kind := path[:cut], path[cut+1:]
	model := catalogue[name]
	switch {
	case model == nil:
		refuse(w, http.StatusNotFound, "Model not found")
	case kind == "price":
		accept(w, map[string]any{"model": name, "pricingDesc": model.price})
	case kind == "success-rate":
		accept(w, map[string]any{"model": name, "points": s.successRate()})
	case kind == "schema":
		accept(w, map[string]any{"model": name, "openapi": model.openAPI()})
	default:
		http.NotFound(w, r)
	}
}

// successRate is a day in buckets of ten minutes, one of them without traffic.
func (s *Server) successRate() []map[string]any {
	end := s.options.Now().UTC().Truncate(10 * time.Minute)
	points := make([]map[string]any, 0, 144)
	for start := end.Add(-24 * time.Hour); start.Before(end); start = start.Add(10 * time.Minute) {
		point := map[string]any{"start": start.Format(time.RFC3339), "end": start.Add(10 * time.Minute).Format(time.RFC3339),
			"successRate": 97.5, "errorRate": 2.5, "isNormal": true}
		if len(points) == 0 {
			point["successRate"], point["errorRate"] = nil, nil
		}
		points = append(points, point)
	}
	return points
}

// openAPI is a document with references, as kie.ai's: the name of a component ends in a
// blank and is percent-encoded.
func (m *catalogueModel) openAPI() map[string]any {
	properties := map[string]any{"prompt": map[string]any{"type": "string"}}
	required := []string{"prompt"}
	if m.video != "" {
		video := map[string]any{"type": "string", "format": "uri"}
		if m.list {
			video = map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
		}
		properties[m.video] = video
		required = append(required, m.video)
	}
	for name, kind := range m.options {
		properties[name] = map[string]any{"type": kind}
	}
	body := map[string]any{"$ref": "#/components/schemas/Create%20Task%20"}
	return map[string]any{
		"openapi": "3.1.0",
		"paths": map[string]any{"/api/v1/jobs/createTask": map[string]any{"post": map[string]any{
			"requestBody": map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": body}}}}}},
		"components": map[string]any{"schemas": map[string]any{
			"Create Task ": map[string]any{"type": "object", "required": []string{"model"},
				"properties": map[string]any{"model": map[string]any{"type": "string"}, "input": map[string]any{"$ref": "#/components/schemas/Input"}}},
			"Input": map[string]any{"type": "object", "properties": properties, "required": required},
		}},
	}
}

// admitCatalogue refuses more than one request a second, unless the account has no rate
// limit.
func (s *Server) admitCatalogue(w http.ResponseWriter) bool {
	s.mu.Lock()
	now := s.options.Now()
	tooSoon := s.options.RateLimit > 0 && now.Sub(s.catalogueRead) < time.Second
	if !tooSoon {
		s.catalogueRead = now
	}
	s.mu.Unlock()
	if tooSoon {
		refuse(w, codeRateLimited, "Your call frequency is too high. Please try again later.")
	}
	return !tooSoon
}
