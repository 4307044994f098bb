// The programs that the readers in this folder's parent stand in for, reading the same objects: kstatus as Helm and Flux
// use it, Flux's evaluation of health expressions in cel-go, and the Lua of Argo CD, gopher-lua.
//
// It takes a file with the script and the expressions, and objects as JSON on standard input, one a line; it answers each
// with a line of JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const longestLine = 1 << 24

type readings struct {
	Kstatus string `json:"kstatus"`
	Flux    string `json:"flux"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
}

func main() {
	log.SetFlags(0)
	var given struct {
		Script      string
		Expressions kustomize.HealthCheckExpressions
	}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &given))
	flux, err := cel.NewStatusEvaluator(&given.Expressions)
	check(err)

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		item := &unstructured.Unstructured{}
		check(item.UnmarshalJSON(lines.Bytes()))
		answer := readings{Kstatus: word(status.Compute(item)), Flux: word(flux.Evaluate(context.Background(), item))}
		answer.Argo, answer.Message = health(item, given.Script)
		check(answers.Encode(answer))
	}
	check(lines.Err())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func word(result *status.Result, err error) string {
	if err != nil {
		return "Unknown"
	}
	return string(result.Status)
}

// health is what Argo CD does (gitops-engine/pkg/health and util/lua), with the libraries it gives scripts of argocd-cm.
func health(item *unstructured.Unstructured, script string) (string, string) {
	if item.GetDeletionTimestamp() != nil {
		return "Progressing", "Pending deletion"
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		call := lua.P{Fn: state.NewFunction(open), Protect: true}
		check(state.CallByParam(call, lua.LString(name)))
	}
	state.SetGlobal("obj", toLua(state, item.Object))
	if err := state.DoString(script); err != nil {
		return "Unknown", ""
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "Unknown", ""
	}
	return answer.RawGetString("status").String(), answer.RawGetString("message").String()
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case int64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.CreateTable(len(value), 0)
		for _, entry := range value {
			list.Append(toLua(state, entry))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, entry := range value {
			table.RawSetH(lua.LString(key), toLua(state, entry))
		}
		return table
	}
	return lua.LNil
}
