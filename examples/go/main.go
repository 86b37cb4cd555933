// Edges of a picture, with Go's standard library: go run main.go PICTURE RESULT
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
)

// Problem is what every refusal is (RFC 9457): Code for programs, Detail for people.
type Problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func filter(url string, picture []byte, spec any) ([]byte, string, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, "", err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("image", "picture")
	if err != nil {
		return nil, "", err
	}
	if _, err = part.Write(picture); err != nil {
		return nil, "", err
	}
	if err = form.WriteField("spec", string(text)); err != nil {
		return nil, "", err
	}
	if err = form.Close(); err != nil {
		return nil, "", err
	}
	answer, err := http.Post(url+"/v1/filter", form.FormDataContentType(), &body)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, "", err
	}
	if answer.StatusCode != http.StatusOK {
		var problem Problem
		if err = json.Unmarshal(content, &problem); err != nil {
			return nil, "", fmt.Errorf("status %d", answer.StatusCode)
		}
		return nil, "", fmt.Errorf("%s: %s", problem.Code, problem.Detail)
	}
	return content, answer.Header.Get("Server-Timing"), nil
}

func run() error {
	url := os.Getenv("CONVSERVE_URL")
	if url == "" {
		url = "http://localhost:8000"
	}
	picture, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	edges := map[string]any{"steps": []map[string]any{{"op": "grayscale"}, {"op": "gradient"}}}
	result, timing, err := filter(url, picture, edges)
	if err != nil {
		return err
	}
	fmt.Println(timing)
	if _, _, err = filter(url, picture, map[string]any{"op": "pool", "size": 0}); err != nil {
		fmt.Println(err)
	}
	return os.WriteFile(os.Args[2], result, 0o644)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: main PICTURE RESULT")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
