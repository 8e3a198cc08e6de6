// SPDX-License-Identifier: MIT
/*
 * config.json of an OCI bundle. Properties that it does not know a runtime has to ignore, says the
 * specification; so do we, but for those that runc takes for ones that it knows.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "oci.h"
#include "plan-read.h"
#include "plan.h"
#include "util.h"

static const enum idm_error_step step_map = IDM_STEP_READ_MAP;
static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

/* The configuration, and what its mounts can fall back on. */
struct oci {
	const struct idm_plan_reader *reader;
	struct idm_map *map;   /* linux.uidMappings and linux.gidMappings; NULL: none */
	bool user_namespace;   /* the container has one of its own */
	const char *namespace; /* the file of one that it joins; NULL: none */
	/* Of a container that a runtime makes; NULL: the whole is wanted as a plan. */
	struct idm_oci *mapped;
	const struct idm_oci_text *text;
	struct idm_json annotations;
};

/* A member that has to be there, and hold something. */
static int read_required(const struct idm_json *object, const char *key, const char **string,
			 struct idm_error *err)
{
	int r = idm_read_string(object, key, string, err);

	if (r < 0)
		return r;
	if (!*string)
		return idm_json_fail(object, err, "\"%s\" is missing", key);
	if (!**string) {
		struct idm_json member;

		idm_json_member(object, key, &member);
		return idm_json_fail(&member, err, "it is empty");
	}
	return 0;
}

/* ---- the container ---- */

/* Whether the container gets a user namespace, or joins one. */
static int read_namespaces(struct oci *oci, const struct idm_json *namespaces)
{
	struct idm_error *err = oci->reader->err;
	size_t n;
	int r = idm_json_array(namespaces, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct idm_json namespace = idm_json_element(namespaces, i);
		const char *type;

		r = idm_oci_check_keys(&namespace, IDM_OCI_KEYS("type", "path"), err);
		if (r == 0)
			r = read_required(&namespace, "type", &type, err);
		if (r != 0 || strcmp(type, "user") != 0)
			continue;
		oci->user_namespace = true;
		r = idm_read_string(&namespace, "path", &oci->namespace, err);
	}
	return r;
}

static int read_linux(struct oci *oci, const struct idm_json *whole)
{
	struct idm_json linux_, namespaces;
	struct idm_error *err = oci->reader->err;
	int r;

	if (!idm_json_member(whole, "linux", &linux_))
		return 0;
	r = idm_oci_check_keys(
		&linux_, IDM_OCI_KEYS("uidMappings", "gidMappings", "namespaces", "rootfsPropagation"),
		err);
	if (r == 0 && idm_json_member(&linux_, "namespaces", &namespaces))
		r = read_namespaces(oci, &namespaces);
	if (r == 0)
		r = idm_oci_read_maps(&linux_, &oci->map, err);
	/* No rows are no map here: the container is in the runtime's own namespace then. */
	if (r == 0 && oci->map && idm_oci_is_empty(oci->map)) {
		idm_map_free(oci->map);
		oci->map = NULL;
	}
	return r;
}

/* ---- mounts ---- */

static int read_root(const struct oci *oci, const struct idm_json *whole)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	/* With what is mounted below it, as runtimes do it. */
	const char *words[] = { "rbind", "ro" };
	struct idm_error *err = oci->reader->err;
	struct idm_json root, member;
	bool readonly = false;
	int r;

	if (!idm_json_member(whole, "root", &root))
		return idm_json_fail(whole, err, "\"root\" is missing");
	r = idm_oci_check_keys(&root, IDM_OCI_KEYS("path", "readonly"), err);
	if (r == 0)
		r = read_required(&root, "path", &m.source, err);
	if (r == 0 && idm_json_member(&root, "readonly", &member))
		r = idm_json_boolean(&member, &readonly, err);
	if (r < 0)
		return r;
	m.map = oci->reader->how.map;
	m.flags = readonly ? IDM_PLAN_ADD_RDONLY_LAST : 0;
	return idm_plan_add_named(oci->reader, &m, &(struct idm_words){ words, readonly ? 2 : 1 },
				  "root");
}

/* The container has the map of a namespace that it joins; what that is can be found out once it has. */
static int find_joined_map(struct oci *oci)
{
	int r;

	if (oci->map || !oci->namespace || !oci->mapped || !oci->text->joined_map)
		return 0;
	if (idm_map_new(&oci->map) < 0)
		return idm_fail(oci->reader->err, -ENOMEM, step_read, NULL, NULL);
	r = oci->text->joined_map(oci->text->data, oci->map, oci->reader->err);
	if (r == 0 && !idm_oci_is_empty(oci->map))
		return 0;
	idm_map_free(oci->map);
	oci->map = NULL;
	return r;
}

/* idmap or ridmap, without rows, asks for the container's map. */
static int find_container_map(struct oci *oci, const struct idm_json *mount, const char *word,
			      struct idm_plan_add_options *m)
{
	struct idm_error *err = oci->reader->err;
	int r = find_joined_map(oci);

	if (r < 0)
		return r;
	m->map = oci->map ? oci->map : oci->reader->how.map;
	if (!m->map) {
		idm_json_fail(mount, err, "%s: there are no uidMappings, neither here nor in linux",
			      word);
		if (oci->namespace)
			idm_hint(err, "the container's map is that of %s; give it beside the file",
				 oci->namespace);
		return -EINVAL;
	}
	if (oci->map && !oci->user_namespace)
		return idm_json_fail(mount, err,
				     "%s: linux.namespaces has no user namespace for linux.uidMappings",
				     word);
	return 0;
}

static int find_map(struct oci *oci, const struct idm_json *mount, struct idm_words *words,
		    struct idm_plan_add_options *m, struct idm_map **own)
{
	bool idmap = idm_words_have(words, "idmap"), ridmap = idm_words_have(words, "ridmap");
	int r = idm_oci_read_maps(mount, own, oci->reader->err);

	if (r < 0)
		return r;
	if (*own && idm_oci_is_empty(*own))
		return idm_json_fail(mount, oci->reader->err, "uidMappings and gidMappings are empty");
	m->map = *own;
	/* Runtimes map what is below only if they are told to. */
	if (m->map && !idmap && !ridmap && !idm_words_have_map(words))
		words->words[words->n++] = "idmap";
	if (m->map || idm_words_have_map(words) || !(idmap || ridmap))
		return 0;
	return find_container_map(oci, mount, idmap ? "idmap" : "ridmap", m);
}

static int read_fields(const struct idm_json *mount, struct idm_plan_add_options *m,
		       struct idm_words *words, struct idm_error *err)
{
	struct idm_json options;
	int r = idm_oci_check_keys(
		mount,
		IDM_OCI_KEYS("destination", "source", "type", "options", "uidMappings", "gidMappings"),
		err);

	if (r == 0)
		r = read_required(mount, "destination", &m->target, err);
	if (r == 0)
		r = idm_read_string(mount, "source", &m->source, err);
	if (r == 0)
		r = idm_read_string(mount, "type", &m->type, err);
	if (r < 0)
		return r;
	idm_json_member(mount, "options", &options);
	return idm_words_read(words, &options, err);
}

/* ---- mounts of a container that a runtime makes ---- */

static bool has_map(const struct idm_json *mount, const struct idm_words *words)
{
	struct idm_json rows;

	for (size_t i = 0; i < words->n; i++)
		if (idm_oci_is_map_word(words->words[i]))
			return true;
	return idm_json_member(mount, "uidMappings", &rows) ||
	       idm_json_member(mount, "gidMappings", &rows);
}

/* Remembers where it is, mapped or not. */
static int note_mount(struct oci *oci, const char *destination, bool mapped)
{
	struct idm_oci *o = oci->mapped;
	struct idm_oci_mount *mount = &o->mounts[o->n];
	size_t n;

	destination = idm_trim_target(destination, &n);
	mount->destination = strndup(destination, n);
	if (!mount->destination)
		return idm_fail(oci->reader->err, -ENOMEM, step_read, NULL, NULL);
	mount->step = mapped ? o->plan->n : 0;
	mount->source = -1;
	o->n++;
	return 0;
}

/* What the engine gives beside the text for that destination; NULL: nothing. */
static const char *find_given(const struct oci *oci, const char *destination, size_t n)
{
	for (size_t i = 0; i < oci->text->n_given; i++) {
		size_t length;
		const char *given = oci->text->given[i],
			   *other = idm_oci_given_destination(given, &length);

		if (other && length == n && memcmp(other, destination, n) == 0)
			return given;
	}
	return NULL;
}

/* What asks for the map of one mount from outside of it; NULL: it does not. */
struct asking {
	const char *given;
	const struct idm_json *annotation;
};

static int read_asking(const struct oci *oci, const struct asking *asking, const char **word,
		       struct idm_map **own)
{
	struct idm_oci_mount *noted = &oci->mapped->mounts[oci->mapped->n - 1];
	struct idm_error *err = oci->reader->err;

	if (asking->given)
		return idm_oci_read_given(asking->given, word, own, err);
	noted->annotation = strdup(asking->annotation->key);
	if (!noted->annotation)
		return idm_fail(err, -ENOMEM, step_read, NULL, NULL);
	return idm_oci_read_annotation(asking->annotation, word, own, err);
}

/* The map that is asked for so. */
static int take_asking(struct oci *oci, const struct idm_json *mount, const struct asking *asking,
		       struct idm_words *words, struct idm_plan_add_options *m, struct idm_map **own)
{
	const char *word = NULL;
	int r = read_asking(oci, asking, &word, own);

	if (r < 0)
		return r;
	if (word)
		words->words[words->n++] = word;
	m->map = *own;
	return m->map ? 0 : find_container_map(oci, mount, word, m);
}

static int check_once(const struct oci *oci, const struct idm_json *mount, const struct asking *asking,
		      bool has)
{
	struct idm_error *err = oci->reader->err;

	if (asking->annotation && (has || asking->given))
		return idm_json_fail(mount, err, "a map is given twice: here, and by the annotation %s",
				     asking->annotation->key);
	if (asking->given && has)
		return idm_json_fail(mount, err, "a map is given twice: here, and by the hook's argument %s",
				     asking->given);
	return 0;
}

/* 1: it is mapped, as far as m says. 0: it is none of ours. */
static int select_mount(struct oci *oci, const struct idm_json *mount, struct idm_words *words,
			struct idm_plan_add_options *m, struct idm_map **own)
{
	struct idm_json annotation;
	size_t n;
	const char *destination = idm_trim_target(m->target, &n);
	bool annotated = idm_oci_find_annotation(&oci->annotations, destination, n, &annotation),
	     has = has_map(mount, words);
	const struct asking asking = { find_given(oci, destination, n), annotated ? &annotation : NULL };
	int r = check_once(oci, mount, &asking, has);

	if (r == 0)
		r = note_mount(oci, m->target, annotated || asking.given || has);
	if (r < 0 || (!annotated && !asking.given && !has))
		return r;
	r = has ? find_map(oci, mount, words, m, own) : take_asking(oci, mount, &asking, words, m, own);
	return r < 0 ? r : 1;
}

/*
 * Kubernetes gives the annotations of a pod to each container, and to the one that only holds the pod's
 * namespaces, which has no volumes.
 */
static bool is_sandbox(const struct oci *oci)
{
	static const char *const keys[] = { "io.kubernetes.cri.container-type",
					    "io.kubernetes.cri-o.ContainerType" };
	struct idm_error err;
	const char *type;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (idm_read_string(&oci->annotations, keys[i], &type, &err) == 0 && type &&
		    strcmp(type, "sandbox") == 0)
			return true;
	return false;
}

static size_t count_mounts(const struct idm_oci *o, const char *destination, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < o->n; i++)
		/* analyzer: every mount has a destination */
		found += strlen(o->mounts[i].destination) == n &&
			 memcmp(o->mounts[i].destination, destination, n) == 0;
	return found;
}

/* Its destination is that of one mount. With two, the lower one could not be seen. */
static int check_annotation(const struct oci *oci, const struct idm_json *annotation)
{
	struct idm_oci *o = oci->mapped;
	size_t n, found;
	const char *destination = idm_oci_annotated(annotation, &n);

	if (!destination)
		return 0;
	if (!o->annotation)
		o->annotation = strdup(annotation->key);
	if (!o->annotation)
		return idm_fail(oci->reader->err, -ENOMEM, step_read, NULL, NULL);
	found = count_mounts(o, destination, n);
	if (found == 1 || (found == 0 && is_sandbox(oci)))
		return 0;
	return idm_json_fail(annotation, oci->reader->err, "%s mount has the destination /%.*s",
			     found ? "more than one" : "no", (int)n, destination);
}

static int check_annotations(const struct oci *oci)
{
	const void *cursor = NULL;
	struct idm_json annotation;
	int r = 0;

	if (idm_json_type(&oci->annotations) != IDM_JSON_OBJECT)
		return 0;
	while (r == 0 && idm_json_each(&oci->annotations, &cursor, &annotation))
		r = check_annotation(oci, &annotation);
	return r;
}

static int check_given(const struct oci *oci, const char *given)
{
	size_t n, found;
	const char *destination = idm_oci_given_destination(given, &n);

	if (!destination)
		return idm_fail(oci->reader->err, -EINVAL, step_read, given,
				"expected VALUE/DESTINATION");
	if (find_given(oci, destination, n) != given)
		return idm_fail(oci->reader->err, -EINVAL, step_read, given,
				"a map is given twice for /%.*s", (int)n, destination);
	found = count_mounts(oci->mapped, destination, n);
	if (found == 1)
		return 0;
	return idm_fail(oci->reader->err, -EINVAL, step_read, given,
			"%s mount has the destination /%.*s", found ? "more than one" : "no", (int)n,
			destination);
}

static int check_all_given(const struct oci *oci)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < oci->text->n_given; i++)
		r = check_given(oci, oci->text->given[i]);
	return r;
}

/*
 * The runtime has mounted it already. A second overlay on the same upper directory damages what is in
 * there.
 */
static int check_upper(const struct oci *oci, const struct idm_json *mount,
		       const struct idm_words *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (strncmp(words->words[i], "upperdir=", 9) == 0)
			return idm_json_fail(mount, oci->reader->err,
					     "%s is in use by the runtime's overlay: a second one on it "
					     "would damage it",
					     words->words[i]);
	return 0;
}

/* ---- all mounts ---- */

static int read_mount(struct oci *oci, const struct idm_json *mount)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	AUTO_WORDS struct idm_words words = { 0 };
	struct idm_map *own = NULL;
	bool wanted = true;
	char name[40];
	int r;

	m.flags = IDM_PLAN_ADD_MKDIR;
	r = read_fields(mount, &m, &words, oci->reader->err);
	if (r == 0 && oci->mapped) {
		r = select_mount(oci, mount, &words, &m, &own);
		wanted = r > 0;
		if (wanted && !idm_words_make_bind(&words))
			r = check_upper(oci, mount, &words);
	} else if (r == 0) {
		r = find_map(oci, mount, &words, &m, &own);
	}
	snprintf(name, sizeof(name), "mounts[%zu]", mount->index);
	if (r >= 0 && wanted)
		r = idm_plan_add_named(oci->reader, &m, &words, name);
	idm_map_free(own);
	return r;
}

static int read_mounts(struct oci *oci, const struct idm_json *whole)
{
	struct idm_json mounts;
	size_t n = 0;
	int r = 0;

	if (idm_json_member(whole, "mounts", &mounts))
		r = idm_json_array(&mounts, &n, oci->reader->err);
	if (r == 0 && oci->mapped) {
		oci->mapped->mounts = calloc(n + 1, sizeof(*oci->mapped->mounts));
		if (!oci->mapped->mounts)
			return idm_fail(oci->reader->err, -ENOMEM, step_read, NULL, NULL);
		if (!n)
			return idm_json_fail(whole, oci->reader->err, "there are no mounts to map");
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct idm_json mount = idm_json_element(&mounts, i);

		r = read_mount(oci, &mount);
	}
	return r;
}

static int read_whole(struct oci *oci, const struct idm_json *whole)
{
	const char *version;
	int r = idm_oci_check_keys(whole, IDM_OCI_KEYS("ociVersion", "root", "mounts", "linux"),
				   oci->reader->err);

	if (r == 0)
		r = read_required(whole, "ociVersion", &version, oci->reader->err);
	if (r == 0)
		r = read_linux(oci, whole);
	if (r == 0)
		r = read_root(oci, whole);
	if (r == 0)
		r = read_mounts(oci, whole);
	idm_map_free(oci->map);
	return r;
}

int idm_plan_read_oci(const struct idm_plan_reader *reader, const struct idm_json *whole)
{
	struct oci oci = { .reader = reader };

	return read_whole(&oci, whole);
}

/* ---- a container that a runtime makes ---- */

/* A value of its own, such as "shared", "rslave". */
static int read_propagation(struct idm_oci *o, const struct idm_json *whole, struct idm_error *err)
{
	struct idm_json linux_;
	const char *word;
	int r;

	if (!idm_json_member(whole, "linux", &linux_))
		return 0;
	r = idm_read_string(&linux_, "rootfsPropagation", &word, err);
	o->shared_root = r == 0 && word && (strcmp(word, "shared") == 0 || strcmp(word, "rshared") == 0);
	return r;
}

/* A copy of what may be NULL. */
static int copy_text(char **to, const char *text, struct idm_error *err)
{
	if (!text)
		return 0;
	*to = strdup(text);
	/* analyzer: idm_oci_free() frees it */
	return *to ? 0 : idm_fail(err, -ENOMEM, step_read, NULL, NULL);
}

static int read_asker(struct oci *oci)
{
	struct idm_error *err = oci->reader->err;
	struct idm_oci *o = oci->mapped;
	struct idm_oci_asker asker;
	int r = idm_oci_read_asker(&oci->annotations, &asker, err);

	if (oci->text->handler)
		asker.handler = oci->text->handler;
	o->pod = asker.pod;
	if (r == 0)
		r = copy_text(&o->namespace, asker.namespace, err);
	return r < 0 ? r : copy_text(&o->handler, asker.handler, err);
}

static int read_container(struct oci *oci, const struct idm_json *whole)
{
	struct idm_error *err = oci->reader->err;
	int r = idm_json_object(whole, err);

	if (r == 0)
		r = idm_oci_check_keys(whole, IDM_OCI_KEYS("annotations", "hooks"), err);
	if (r == 0 && idm_json_member(whole, "annotations", &oci->annotations))
		r = idm_json_object(&oci->annotations, err);
	if (r == 0)
		r = idm_oci_check_annotations(&oci->annotations, err);
	if (r == 0)
		r = read_asker(oci);
	if (r == 0)
		r = read_propagation(oci->mapped, whole, err);
	if (r == 0)
		r = read_whole(oci, whole);
	if (r == 0)
		r = check_annotations(oci);
	return r < 0 ? r : check_all_given(oci);
}

int idm_oci_read(struct idm_oci *o, const struct idm_oci_text *text, struct idm_error *err)
{
	struct idm_plan_reader reader = { .how = IDM_PLAN_READ_OPTIONS_INIT, .err = err };
	struct oci oci = { .reader = &reader, .mapped = o, .text = text };
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct idm_json whole;
	int r;

	*o = (struct idm_oci){ 0 };
	r = idm_json_parse(text->text, text->length, step_read, &parsed, err);
	if (r < 0)
		return r;
	if (idm_plan_new(&o->plan) < 0)
		return idm_fail(err, -ENOMEM, step_read, NULL, NULL);
	reader.plan = o->plan;
	reader.how.dirfd = text->dirfd;
	whole = idm_json_whole(parsed);
	oci.annotations.text = parsed;
	r = read_container(&oci, &whole);
	if (r < 0)
		idm_oci_free(o);
	return r;
}

void idm_oci_free(struct idm_oci *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->mounts[i].destination);
		free(o->mounts[i].annotation);
		idm_close_fd(&o->mounts[i].source);
	}
	free(o->mounts);
	free(o->annotation);
	free(o->namespace);
	free(o->handler);
	idm_plan_free(o->plan);
	*o = (struct idm_oci){ 0 };
}

/* ---- the container's map alone ---- */

/* The specification wants an absolute path. */
static int read_joined_map(struct oci *oci)
{
	struct idm_error *err = oci->reader->err;

	if (*oci->namespace != '/')
		return idm_fail(err, -EINVAL, step_map, oci->namespace,
				"the path of a namespace has to be absolute");
	if (idm_map_new(&oci->map) < 0)
		return idm_fail(err, -ENOMEM, step_map, NULL, NULL);
	return idm_map_parse(oci->map, oci->namespace, IDM_MAP_PARSE_LOOKUP, err);
}

static int find_own_map(struct oci *oci)
{
	struct idm_error *err = oci->reader->err;

	if (oci->map && !oci->user_namespace)
		return idm_fail(err, -EINVAL, step_map, NULL,
				"linux.namespaces has no user namespace for linux.uidMappings");
	if (oci->map)
		return 0;
	if (oci->namespace)
		return read_joined_map(oci);
	idm_fail(err, -ENOENT, step_map, NULL, "there are no linux.uidMappings");
	idm_hint(err, "a container without a user namespace has no map of its own; give one "
		      "(idm_map_parse())");
	return -ENOENT;
}

int idm_oci_map(const char *text, size_t length, struct idm_map **map, struct idm_error *err)
{
	AUTO_JSON struct idm_json_text *json = NULL;
	struct idm_plan_reader reader = { .how = IDM_PLAN_READ_OPTIONS_INIT, .err = err };
	struct oci oci = { .reader = &reader };
	struct idm_json whole;
	int r = idm_json_parse(text, length, step_map, &json, err);

	if (r < 0)
		return r;
	whole = idm_json_whole(json);
	r = idm_oci_check_keys(&whole, IDM_OCI_KEYS("linux"), err);
	if (r == 0)
		r = read_linux(&oci, &whole);
	if (r == 0)
		r = find_own_map(&oci);
	if (r == 0)
		*map = oci.map;
	else
		idm_map_free(oci.map);
	return r;
}
