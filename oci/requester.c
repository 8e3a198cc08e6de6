// SPDX-License-Identifier: MIT
/*
 * The pod that asks for a map, as far as the engine names it. Engines write annotations of their own
 * beside those of the pod. A pod may try to write these too. Annotations that contradict each other
 * count as unknown, or are refused. No engine writes the runtime handler into the configuration of a
 * container: io.kubernetes.cri-o.RuntimeHandler is CRI-O's only in that of the sandbox.
 */
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "oci.h"

static bool begins_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool ends_with(const char *text, const char *with)
{
	size_t n = strlen(text), m = strlen(with);

	return n >= m && strcmp(text + n - m, with) == 0;
}

/* podman before 4.5 writes two of CRI-O's annotations into each container. */
static bool is_of_podman(const char *key)
{
	return strcmp(key, "io.kubernetes.cri-o.Created") == 0 ||
	       strcmp(key, "io.kubernetes.cri-o.TTY") == 0;
}

static bool is_of_pods(const char *key)
{
	return (begins_with(key, "io.kubernetes.") && !is_of_podman(key)) ||
	       begins_with(key, "io.containerd.cri.") || ends_with(key, ".crio.io");
}

/* Returns the annotation's value; "" if the key does not exist or the value is not a string. */
static const char *text_at(const struct idm_json *annotations, const char *key)
{
	struct idm_json member;
	struct idm_error err;
	const char *text;

	return idm_json_member(annotations, key, &member) && idm_json_string(&member, &text, &err) == 0
		       ? text
		       : "";
}

/* Reads a fact that several annotations may state: they must agree. */
static int find_agreed(const struct idm_json *annotations, const char *const *keys, const char *what,
		       const char **found, struct idm_error *err)
{
	for (; *keys; keys++) {
		const char *text = text_at(annotations, *keys);

		if (!*text)
			continue;
		if (*found && strcmp(*found, text) != 0)
			return idm_json_fail(annotations, err,
					     "%s: expected the %s %s of another annotation, got %s",
					     *keys, what, *found, text);
		*found = text;
	}
	return 0;
}

static int find_names(const struct idm_json *annotations, struct idm_oci_requester *requester,
		      struct idm_error *err)
{
	static const char *const namespaces[] = { "io.kubernetes.cri.sandbox-namespace",
						  "io.kubernetes.cri-o.Namespace",
						  "io.kubernetes.pod.namespace", NULL };
	static const char *const containers[] = { "io.kubernetes.cri.container-name",
						  "io.kubernetes.container.name", NULL };
	int r = find_agreed(annotations, namespaces, "namespace", &requester->namespace, err);

	return r < 0 ? r : find_agreed(annotations, containers, "container", &requester->container, err);
}

/* Kubernetes passes the annotations of a pod to each of its containers, and to the sandbox. */
static bool is_sandbox(const struct idm_json *annotations)
{
	return strcmp(text_at(annotations, "io.kubernetes.cri.container-type"), "sandbox") == 0 ||
	       strcmp(text_at(annotations, "io.kubernetes.cri-o.ContainerType"), "sandbox") == 0;
}

int idm_oci_read_requester(const struct idm_json *annotations, struct idm_oci_requester *requester,
			   struct idm_error *err)
{
	struct idm_json annotation = { 0 };
	const char *manager;

	*requester = (struct idm_oci_requester){ 0 };
	if (idm_json_type(annotations) != IDM_JSON_OBJECT)
		return 0;
	while (idm_json_each(annotations, &annotation))
		requester->pod |= is_of_pods(annotation.key);
	requester->sandbox = is_sandbox(annotations);
	manager = text_at(annotations, "io.container.manager");
	requester->pod |= strcmp(manager, "cri-o") == 0;
	/* podman has pods too, but no namespaces, and does not name containers. An annotation that does
	 * so there is the image's. */
	return strcmp(manager, "libpod") == 0 ? 0 : find_names(annotations, requester, err);
}
