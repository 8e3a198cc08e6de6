// SPDX-License-Identifier: MIT
//
// Lets the API server's own plugin for admission policies judge pods by contrib/kubernetes/admission-policy.yaml. The
// plugin is that of Debian's golang-k8s-apiserver-dev. Prints TAP.
//
//	admission POLICY POD
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	kubernetes "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/restmapper"
	"k8s.io/component-base/featuregate"
	"sigs.k8s.io/yaml"
)

const (
	single    = "io.idmount.map/data"
	several   = "io.idmount.maps"
	label     = "the label idmount.io/maps=allowed of the namespace is required"
	class     = "requires runtimeClassName: idmount"
	unknown   = "unknown annotation, expected io.idmount.map/DIRECTORY"
	notListed = "the policy idmount does not allow this map"
	badValue  = "the policy idmount does not allow such maps, or the value is not an object"
	noMount   = "no container mounts the directory in a key"
	noName    = "no container has the name in a key"
	noMember  = "no container mounts a directory in the value"
	noSpec    = "no such key: spec"
	allowed   = ""
)

// A pod of contrib/kubernetes, after `change`, and the message that refuses it.
type judgement struct {
	name   string
	change func(pod *core.Pod)
	expect string
}

func annotate(pairs ...string) func(pod *core.Pod) {
	return func(pod *core.Pod) {
		pod.Annotations = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			pod.Annotations[pairs[i]] = pairs[i+1]
		}
	}
}

func in(namespace string) func(pod *core.Pod) {
	return func(pod *core.Pod) { pod.Namespace = namespace }
}

// addContainer adds one with a volume at each of these directories.
func addContainer(name string, directories ...string) func(pod *core.Pod) {
	return func(pod *core.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, containerWith(name, directories))
	}
}

func containerWith(name string, directories []string) core.Container {
	container := core.Container{Name: name, Image: "box"}
	for _, directory := range directories {
		container.VolumeMounts = append(container.VolumeMounts, core.VolumeMount{Name: "data", MountPath: directory})
	}
	return container
}

func all(changes ...func(pod *core.Pod)) func(pod *core.Pod) {
	return func(pod *core.Pod) {
		for _, change := range changes {
			change(pod)
		}
	}
}

func onlyInInitContainer(pod *core.Pod) {
	pod.Spec.InitContainers = pod.Spec.Containers
	pod.Spec.Containers = []core.Container{{Name: "other", Image: "box"}}
}

// More than pods usually have. The API server limits the cost of an expression.
func makeLarge(pod *core.Pod) {
	var directories, members []string

	for i := 0; i < 20; i++ {
		directories = append(directories, fmt.Sprintf("/srv/volume/%d", i))
		members = append(members, fmt.Sprintf("%q: %q", directories[i], "1000:0"))
	}
	for i := 0; i < 20; i++ {
		addContainer(fmt.Sprintf("box-%d", i), directories...)(pod)
	}
	annotate(several, "{"+strings.Join(members, ", ")+"}")(pod)
}

var created = []judgement{
	{"the pod of contrib", func(*core.Pod) {}, allowed},
	{"no annotation", all(in("other"), func(pod *core.Pod) { pod.Annotations = nil }), allowed},
	{"an annotation of another program", all(in("other"), annotate("example.org/io.idmount.map", "0:0")), allowed},
	{"a namespace without labels", in("other"), label},
	{"a namespace with another value of the label", in("refused"), label},
	{"no runtime class", func(pod *core.Pod) { pod.Spec.RuntimeClassName = nil }, class},
	{"another runtime class", func(pod *core.Pod) { *pod.Spec.RuntimeClassName = "runc" }, class},
	{"a relative map", annotate(single, "@1000:0"), allowed},
	{"root's files", annotate(single, "0:1000"), notListed},
	{"a map and another one", annotate(single, "1000:0,0:1000"), notListed},
	{"a map and a line", annotate(single, "1000:0\n"), notListed},
	{"one of two keys", all(addContainer("two", "/vol"), annotate(single, "1000:0", "io.idmount.map/vol", "0:1000")), notListed},
	{"two keys", all(addContainer("two", "/vol"), annotate(single, "1000:0", "io.idmount.map/vol", "1000:999")), allowed},
	{"a directory that no container has", annotate("io.idmount.map/none", "1000:0"), noMount},
	{"a volume of an init container", onlyInInitContainer, allowed},
	{"a key without a directory", annotate("io.idmount.map", "1000:0"), unknown},
	{"a misspelt key", annotate("io.idmount.mapp/data", "1000:0"), unknown},
	{"a key in capitals", annotate("IO.Idmount.map/data", "1000:0"), unknown},
	{"a prefix in capitals", annotate("io.IDMOUNT.maps", "x"), unknown},
	{"several", all(addContainer("two", "/srv/a b"), annotate(several, `{"/data": "1000:0", "/srv/a b":"1000:999"}`)), allowed},
	{"several without spaces", annotate(several, `{"/data":"@1000:0"}`), allowed},
	{"several, root's files", annotate(several, `{"/data": "0:1000"}`), badValue},
	{"several, one of root's files", annotate(several, `{"/data": "1000:0", "/data": "0:1000"}`), badValue},
	{"several, root's files first", annotate(several, `{"/data":"0:1000","/data":"1000:0"}`), badValue},
	{"several, no comma", annotate(several, `{"/data":"1000:0""/data":"0:1000"}`), badValue},
	{"several, escapes", annotate(several, `{"/data": "\u0030:1000"}`), badValue},
	{"several, escaped quotes", annotate(several, `{"/data": "1000:0", "/x\": \"1000:0": "0:1000"}`), badValue},
	{"several, a colon in the directory", annotate(several, `{"/data:": "1000:0"}`), badValue},
	{"several, a list", annotate(several, `{"/data": ["0:1000"]}`), badValue},
	{"several, a number", annotate(several, `{"/data": "1000:0", "/x": 0}`), badValue},
	{"several, an object", annotate(several, `{"/data": {"/data": "1000:0"}}`), badValue},
	{"several, an empty map", annotate(several, `{"/data": ""}`), badValue},
	{"several, an empty object", annotate(several, "{}"), badValue},
	{"several, an empty value", annotate(several, ""), badValue},
	{"several, lines", annotate(several, "{\"/data\": \"1000:0\"}\n{\"/data\": \"0:1000\"}"), badValue},
	{"several, a directory that no container has", annotate(several, `{"/data": "1000:0", "/none": "1000:0"}`), noMember},
	{"of one container", annotate(several+"/box", `{"/data": "1000:0"}`), allowed},
	{"of one container, root's files", annotate(several+"/box", `{"/data": "0:0"}`), badValue},
	{"of a container that does not exist", annotate(several+"/two", `{"/data": "1000:0"}`), noName},
	{"of another container", all(addContainer("two"), annotate(several+"/two", `{"/data": "1000:0"}`)), noMember},
	{"a large pod", makeLarge, allowed},
}

// From the pod of contrib.
var updated = []judgement{
	{"unchanged", func(*core.Pod) {}, allowed},
	{"a finalizer, in a namespace that lost its label", func(pod *core.Pod) { pod.Finalizers = []string{"example.org/x"} }, allowed},
	{"no annotation any more", annotate(), allowed},
	{"another map", annotate(single, "0:1000"), notListed},
	{"one more", annotate(single, "1000:0", several, `{"/data": "0:0"}`), badValue},
	{"another key", annotate("io.idmount.MAP/data", "1000:0"), unknown},
}

var bound = []judgement{
	{"no annotation", annotate(), allowed},
	{"an annotation of another program", annotate("example.org/x", "0:0"), allowed},
	{"a map", func(*core.Pod) {}, noSpec},
	{"a key in capitals", annotate("IO.idmount.map/data", "0:0"), noSpec},
}

func check(err error) {
	if err != nil {
		fmt.Println("Bail out!", err)
		os.Exit(1)
	}
}

func readObjects(file string, objects ...interface{}) {
	text, err := os.ReadFile(file)
	check(err)
	parts := bytes.Split(text, []byte("\n---\n"))
	if len(parts) != len(objects) {
		check(fmt.Errorf("%s: expected %d documents, got %d", file, len(objects), len(parts)))
	}
	for i, object := range objects {
		check(yaml.UnmarshalStrict(parts[i], object))
	}
}

// setDefaults sets what the API server sets in a policy that it stores.
func setDefaults(policy *admissionregistration.ValidatingAdmissionPolicy) {
	scope, equivalent := admissionregistration.AllScopes, admissionregistration.Equivalent
	constraints := policy.Spec.MatchConstraints
	constraints.NamespaceSelector, constraints.ObjectSelector = &meta.LabelSelector{}, &meta.LabelSelector{}
	constraints.MatchPolicy = &equivalent
	for i := range constraints.ResourceRules {
		constraints.ResourceRules[i].Scope = &scope
	}
}

func namespaceWith(name string, labels map[string]string) *core.Namespace {
	return &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}}
}

// startPlugin starts the plugin as an API server does that has these objects.
func startPlugin(ctx context.Context, objects ...runtime.Object) *validating.Plugin {
	plugin, err := validating.NewPlugin(nil)
	check(err)
	client := kubernetes.NewSimpleClientset(objects...)
	shared := informers.NewSharedInformerFactory(client, 0)
	initializer.New(client, fake.NewSimpleDynamicClient(scheme.Scheme), shared,
		authorizerfactory.NewAlwaysAllowAuthorizer(), featuregate.NewFeatureGate(),
		compatibility.DefaultBuildEffectiveVersion(), ctx.Done(), restmapper.NewDiscoveryRESTMapper(nil)).Initialize(plugin)
	check(admission.ValidateInitialization(plugin))
	shared.Start(ctx.Done())
	shared.WaitForCacheSync(ctx.Done())
	if !plugin.WaitForReady() {
		check(fmt.Errorf("the plugin does not get ready"))
	}
	return plugin
}

// ask returns the plugin's message, or nothing if it allows the pod. `old` is not nil for an update, of the pod or of a
// part of it.
func ask(plugin *validating.Plugin, pod, old *core.Pod, part string) string {
	operation, before := admission.Create, runtime.Object(nil)
	if old != nil {
		operation, before = admission.Update, old
	}
	return validate(plugin, admission.NewAttributesRecord(pod, before, core.SchemeGroupVersion.WithKind("Pod"),
		pod.Namespace, pod.Name, core.SchemeGroupVersion.WithResource("pods"), part, operation, nil, false, nil))
}

// askAboutBinding does so for a scheduler's choice of a node. Its annotations become those of the pod.
func askAboutBinding(plugin *validating.Plugin, pod *core.Pod) string {
	binding := &core.Binding{ObjectMeta: pod.ObjectMeta, Target: core.ObjectReference{Kind: "Node", Name: "node"}}
	return validate(plugin, admission.NewAttributesRecord(binding, nil, core.SchemeGroupVersion.WithKind("Binding"),
		pod.Namespace, pod.Name, core.SchemeGroupVersion.WithResource("pods"), "binding", admission.Create, nil, false, nil))
}

func validate(plugin *validating.Plugin, attributes admission.Attributes) string {
	err := plugin.Validate(context.Background(), attributes, admission.NewObjectInterfacesFromScheme(scheme.Scheme))
	if err == nil {
		return ""
	}
	return err.Error()
}

var count int

func report(j judgement, operation, answer string) {
	count++
	good := answer == j.expect || j.expect != "" && strings.Contains(answer, j.expect)
	if !good {
		fmt.Printf("# expected %q, got %q\nnot ", j.expect, answer)
	}
	fmt.Printf("ok %d - %s: %s\n", count, operation, j.name)
}

func main() {
	var policy admissionregistration.ValidatingAdmissionPolicy
	var binding admissionregistration.ValidatingAdmissionPolicyBinding
	var pod core.Pod

	readObjects(os.Args[1], &policy, &binding)
	readObjects(os.Args[2], &pod)
	setDefaults(&policy)
	pod.Namespace = "allowed"
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	plugin := startPlugin(ctx, &policy, &binding, namespaceWith("other", nil),
		namespaceWith("refused", map[string]string{"idmount.io/maps": "refused"}),
		namespaceWith("allowed", map[string]string{"idmount.io/maps": "allowed"}))
	fmt.Printf("1..%d\n", len(created)+2*len(updated)+len(bound))
	for _, j := range created {
		changed := pod.DeepCopy()
		j.change(changed)
		report(j, "create", ask(plugin, changed, nil, ""))
	}
	for _, j := range updated {
		old, changed := pod.DeepCopy(), pod.DeepCopy()
		if strings.Contains(j.name, "lost its label") {
			old.Namespace, changed.Namespace = "other", "other"
		}
		j.change(changed)
		report(j, "update", ask(plugin, changed, old, ""))
		report(j, "update of the status", ask(plugin, changed, old, "status"))
	}
	for _, j := range bound {
		changed := pod.DeepCopy()
		j.change(changed)
		report(j, "binding", askAboutBinding(plugin, changed))
	}
}
