/* SPDX-License-Identifier: MIT */
/*
 * A container that a runtime is creating: which mounts of its bundle have a map, and how their trees get
 * into its mount namespace. This is for the command. The library's callers have idm_plan_read() and
 * idm_tree_attach().
 */
#ifndef IDM_OCI_OCI_H
#define IDM_OCI_OCI_H

#include "idmount.h"
#include "lib/spec/json.h"

/* ---- the requester ---- */

/* Facts of the engine's annotations about the container. The text owns the strings; NULL: not known. */
struct idm_oci_requester {
	bool pod;
	bool sandbox; /* it only holds the namespaces of a pod, and has no volumes */
	const char *namespace;
	const char *container; /* its name in the pod */
};

/* -EINVAL: two annotations name different namespaces, or different containers. */
int idm_oci_read_requester(const struct idm_json *annotations, struct idm_oci_requester *requester,
			   struct idm_error *err);

/* ---- annotations ---- */

/*
 * "io.idmount.map/vol": "0:100000:65536" assigns a map to the mount whose destination is /vol. The value
 * is one of:
 * - MAP: reaches as far as the mount is bound.
 * - idmap=MAP: for that mount alone; ridmap=MAP: for all mounts below it too.
 * - idmap or ridmap: the same with the container's own map.
 * "io.idmount.maps": "{\"/vol\": \"0:100000:65536\"}" assigns maps to several destinations. They may
 * contain slashes, which the names of Kubernetes' annotations may not. "io.idmount.maps/NAME" does so
 * for the container NAME of a pod alone.
 * "@" before a MAP means that the seen IDs count in the container's user namespace.
 */
#define IDM_OCI_ANNOTATION "io.idmount.map/"
#define IDM_OCI_ANNOTATIONS "io.idmount.maps"

/* A request for the map of one mount. */
struct idm_oci_annotation {
	char *name;		 /* for messages */
	const char *destination; /* without slashes at its ends */
	size_t n;		 /* its length */
	const char *value;
	bool in_value;	   /* the destination is in the value, not in the key */
	bool of_container; /* it is for this container, and not for all of the pod */
	struct idm_json at;
};

/* The text from which they are read owns `value` and `at`. */
struct idm_oci_annotations {
	struct idm_oci_annotation *all;
	size_t n;
	struct idm_json_text **texts; /* of values */
	size_t n_texts;
};

/* Returns whether a key is for this program, even if misspelt: "io.idmount.map". */
bool idm_oci_is_own_key(const char *key);

/*
 * Reads the annotations for this container into a list that begins as {0}. Refuses unknown keys, and two
 * requests for the same destination. The caller frees the list, also after an error.
 */
int idm_oci_read_annotations(struct idm_oci_annotations *list, const struct idm_json *annotations,
			     const struct idm_oci_requester *requester, struct idm_error *err);
void idm_oci_free_annotations(struct idm_oci_annotations *list);

/* Finds the annotation for a (trimmed) destination, or returns NULL. */
const struct idm_oci_annotation *idm_oci_find_annotation(const struct idm_oci_annotations *list,
							 const char *destination, size_t n);

/*
 * Reads the map of an annotation, and the option before it. *map stays NULL for idmap and ridmap without
 * a map. *scope is that option, or NULL for a map alone. `container` is needed for a relative map.
 */
int idm_oci_read_annotation(const struct idm_oci_annotation *annotation, const struct idm_map *container,
			    const char **scope, struct idm_map **map, struct idm_error *err);

/*
 * The engine's own request for a mount, in the form VALUE/DESTINATION:
 * "idmap=uids=0-5-1;gids=0-5-1/vol". oci-runtime passes it to the hook as an argument, which no
 * annotation can forge.
 */
const char *idm_oci_request_destination(const char *request, size_t *n); /* NULL: there is no slash */
int idm_oci_read_request(const char *request, const struct idm_map *container, const char **scope,
			 struct idm_map **map, struct idm_error *err);

/* ---- the bundle ---- */

/* One mount of the configuration, in its order. */
struct idm_oci_mount {
	char *destination; /* without slashes at its ends */
	size_t step;	   /* its plan entry; 0 (the root filesystem's): the mount has no map */
	char *annotation;  /* the name of that which asks for the map; NULL: the engine asks */
	bool own_map; /* the map is that of the container: its IDs on disk count where the engine is */
	int source;   /* of a mapped bind, as it was checked; -1: not opened */
};

struct idm_oci {
	struct idm_plan *plan; /* the root filesystem, and the mounts that have a map */
	struct idm_oci_mount *mounts;
	size_t n;
	bool shared_root; /* linux.rootfsPropagation: mounts in there propagate to the host */
	char *annotation; /* the first that asks for a map, also without a mount for it */
	/* The pod that asks by annotations, see struct idm_oci_requester. */
	bool pod;
	char *namespace;
	char *handler;
};

struct idm_oci_text {
	const char *text;
	size_t length;
	int dirfd; /* of the bundle */
	/*
	 * Reads the map of a user namespace that the container joins by the path `userns`. Called only
	 * if needed.
	 */
	int (*joined_map)(void *data, const char *userns, struct idm_map *map, struct idm_error *err);
	void *data;
	/* The engine's requests beside the text, see idm_oci_read_request(). */
	char *const *requests;
	size_t n_requests;
	const char *handler; /* of the runtime; NULL: not known */
};

/*
 * Reads config.json; of the mounts without a map only their destinations. Fails as idm_plan_read(). Also
 * fails with -EINVAL: no mounts exist; an annotation has no mount, or more than one.
 */
int idm_oci_read(struct idm_oci *oci, const struct idm_oci_text *text, struct idm_error *err);
/* The same of a text that the caller has parsed. Its errors have the same step. */
int idm_oci_read_parsed(struct idm_oci *oci, const struct idm_oci_text *text,
			struct idm_json_text *parsed, struct idm_error *err);
void idm_oci_free(struct idm_oci *oci);

/*
 * Opens the sources of the mapped binds. All later steps use these very files. Rejects a source that is
 * ID-mapped already.
 */
int idm_oci_open_sources(struct idm_oci *oci, struct idm_error *err);

/*
 * Removes from the options of the mapped binds what would clear read-only, nosuid, nodev and noexec of a
 * source's own mount. Runtimes keep these for a container in a user namespace of its own. The sources
 * have to be open. Call it after idm_plan_harden(), which looks for the options "suid" and "dev".
 */
void idm_oci_keep_attributes(struct idm_oci *oci);

/*
 * Checks that root's rules allow the maps that annotations ask for. The sources have to be open. Fails
 * with -EPERM if the rules do not allow one.
 */
struct idm_policy;
int idm_oci_judge(const struct idm_oci *oci, const struct idm_policy *policy, struct idm_error *err);

/*
 * With podman before 4.5, annotations of an image become those of the container. With a rootless engine
 * no rule of root's protects the user's own files from them. So an annotation gets only disk IDs that
 * the container has anyway, by its map `container` (NULL: the engine's user namespace is its own). Fails
 * with -EPERM. Rules decide about pods.
 */
int idm_oci_judge_ids(const struct idm_oci *oci, const struct idm_map *container, struct idm_error *err);

/* ---- the container ---- */

/*
 * Makes the trees of all mapped mounts in the caller's mount namespace. Attaches them in the mount
 * namespace of process `pid`, below the root filesystem as it is there. Each tree replaces the mount
 * that the runtime has made at its destination. Mounts below that are put on top of the tree again.
 * Where another user namespace owns the container's mounts, the kernel locks the trees for it. After a
 * failure no tree is attached, and mounts of the runtime can be missing.
 */
int idm_oci_attach(const struct idm_oci *oci, pid_t pid, const char *bundle, struct idm_error *err);

#endif
