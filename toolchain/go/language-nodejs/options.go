package main

import (
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// options are the runtime.options of Pulumi.yaml.
type options struct {
	typescript     bool     // load ts-node before the program; true unless switched off, as in the released host
	tsconfig       string   // the tsconfig.json for it
	nodeArgs       []string // put before the program
	packageManager string
}

func readOptions(info *pulumirpc.ProgramInfo) options {
	fields := info.GetOptions().GetFields()
	o := options{typescript: true, packageManager: "npm"}
	if v, ok := fields["typescript"]; ok {
		if flag, isBool := v.GetKind().(*structpb.Value_BoolValue); isBool {
			o.typescript = flag.BoolValue
		}
	}
	o.tsconfig = fields["tsconfig"].GetStringValue()
	o.nodeArgs = strings.Fields(fields["nodeargs"].GetStringValue())
	if name := fields["packagemanager"].GetStringValue(); name != "" {
		o.packageManager = name
	}
	return o
}

// environment returns the variables for the SDK's runner.
func (o options) environment() []string {
	env := []string{}
	if o.typescript {
		env = append(env, "PULUMI_NODEJS_TYPESCRIPT=true")
	}
	if o.tsconfig != "" {
		env = append(env, "PULUMI_NODEJS_TSCONFIG_PATH="+o.tsconfig)
	}
	return env
}
