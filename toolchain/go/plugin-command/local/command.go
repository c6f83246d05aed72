// Package local runs commands on the machine that runs the engine. Its name is part of the resource's type.
package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Process configures how a command runs. The resource and the function share it.
type Process struct {
	Interpreter            *[]string          `pulumi:"interpreter,optional"`
	Dir                    *string            `pulumi:"dir,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AssetPaths             *[]string          `pulumi:"assetPaths,optional"`
	ArchivePaths           *[]string          `pulumi:"archivePaths,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// Annotate sets the only default that is recorded in the inputs.
func (p *Process) Annotate(a infer.Annotator) {
	a.SetDefault(&p.AddPreviousOutputInEnv, true)
}

// Result is the output of a command.
type Result struct {
	Stdout  string                           `pulumi:"stdout"`
	Stderr  string                           `pulumi:"stderr"`
	Assets  *map[string]types.AssetOrArchive `pulumi:"assets,optional"`
	Archive *resource.Archive                `pulumi:"archive,optional"`
}

// CommandArgs are the inputs of command:local:Command.
type CommandArgs struct {
	Triggers *[]any  `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
	Process
}

// CommandState is the state of the resource: its inputs and the result.
type CommandState struct {
	CommandArgs
	Result
}

// Command is a resource with a command for each step of its lifecycle. It declares no dependencies between fields, so
// every output depends on every input: a changed input makes stdout unknown at preview, a secret one makes it secret.
type Command struct{}

// Create runs `create`.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandArgs],
) (infer.CreateResponse[CommandState], error) {
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err != nil {
		return infer.CreateResponse[CommandState]{}, err
	}
	state := CommandState{CommandArgs: req.Inputs}
	if !req.DryRun && req.Inputs.Create != nil {
		err = run(ctx, *req.Inputs.Create, req.Inputs.Process, &state.Result)
	}
	return infer.CreateResponse[CommandState]{ID: id, Output: state}, err
}

// Update runs `update`, or `create` if there is none, with the last result in the command's environment.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandArgs, CommandState],
) (infer.UpdateResponse[CommandState], error) {
	state := CommandState{CommandArgs: req.Inputs, Result: req.State.Result}
	command := req.Inputs.Create
	if req.Inputs.Update != nil {
		command = req.Inputs.Update
	}
	var err error
	if !req.DryRun && command != nil {
		err = run(ctx, *command, req.Inputs.Process, &state.Result)
	}
	return infer.UpdateResponse[CommandState]{Output: state}, err
}

// Delete runs the `delete` command of the state.
func (*Command) Delete(
	ctx context.Context, req infer.DeleteRequest[CommandState],
) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, run(ctx, *req.State.Delete, req.State.Process, &req.State.Result)
}

// RunArgs are the inputs of command:local:run.
type RunArgs struct {
	Command string `pulumi:"command"`
	Process
}

// RunResult is the output of command:local:run.
type RunResult struct {
	RunArgs
	Result
}

// Run is the function, which runs at every preview and update.
type Run struct{}

// Invoke runs the command once.
func (*Run) Invoke(
	ctx context.Context, req infer.FunctionRequest[RunArgs],
) (infer.FunctionResponse[RunResult], error) {
	out := RunResult{RunArgs: req.Input}
	err := run(ctx, req.Input.Command, req.Input.Process, &out.Result)
	return infer.FunctionResponse[RunResult]{Output: out}, err
}
