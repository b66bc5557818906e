// Command compose loads a compose file as docker compose does, and reads a Dockerfile as its builder does, for tests.
//
//	compose docker-compose.yml Dockerfile [NAME=VALUE...]
//
// The named variables are all that the file can refer to. Standard output is JSON: the project, the variables that
// the file refers to, and the stages of the Dockerfile.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

type output struct {
	Project   json.RawMessage              `json:"project"`
	Variables map[string]template.Variable `json:"variables"`
	Stages    []stage                      `json:"stages"`
}

type stage struct {
	Base     string   `json:"base"`
	Commands []string `json:"commands"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: compose docker-compose.yml Dockerfile [NAME=VALUE...]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(composeFile, dockerfile string, env []string) error {
	ctx := context.Background()
	options, err := cli.NewProjectOptions([]string{composeFile}, cli.WithEnv(env))
	if err != nil {
		return err
	}
	model, err := withoutInterpolation(ctx, composeFile)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return err
	}
	projectJSON, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	stages, err := readDockerfile(dockerfile)
	if err != nil {
		return err
	}
	variables := template.ExtractVariables(model, template.DefaultPattern)
	return json.NewEncoder(os.Stdout).Encode(output{projectJSON, variables, stages})
}

func withoutInterpolation(ctx context.Context, composeFile string) (map[string]any, error) {
	options, err := cli.NewProjectOptions([]string{composeFile}, cli.WithInterpolation(false))
	if err != nil {
		return nil, err
	}
	return options.LoadModel(ctx)
}

func readDockerfile(path string) ([]stage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	read, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	var stages []stage
	for _, s := range read {
		one := stage{Base: s.BaseName}
		for _, command := range s.Commands {
			one.Commands = append(one.Commands, strings.TrimSpace(fmt.Sprint(command)))
		}
		stages = append(stages, one)
	}
	return stages, nil
}
