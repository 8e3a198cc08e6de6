// SPDX-License-Identifier: MIT
/*
 * Lists of mounts that other programs write, and invalid ones. tests/fixtures/plans/ has
 *
 *	good-NAME.json, good-NAME.WHATEVER.json		are understood as good-NAME.plan says
 *	should-fail-NAME.json				is refused with should-fail-NAME.error: message,
 *hint
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/plan-text.h"

/* ---- the files ---- */

static void find_files(const char *pattern, glob_t *found)
{
	const char *root = getenv("IDM_SOURCE_ROOT");
	char path[500];

	if (!root)
		fail_msg("IDM_SOURCE_ROOT is not set");
	snprintf(path, sizeof(path), "%s/tests/fixtures/plans/%s", root, pattern);
	assert_int_equal(glob(path, 0, NULL, found), 0);
}

/* What is expected of a file, to free(): the text beside it. */
static char *beside(const char *path, const char *ending)
{
	const char *name = strrchr(path, '/') + 1;
	int length = (int)(name - path) + (int)strcspn(name, ".");
	char other[500];

	snprintf(other, sizeof(other), "%.*s.%s", length, path, ending);
	return file_text(other, NULL);
}

/* With a sanitizer, who reads behind the end is seen. */
static char *without_nul(const char *path, size_t *length)
{
	AUTO_FREE char *text = file_text(path, length);
	char *exact = malloc(*length ? *length : 1);

	memcpy(exact, text, *length);
	return exact;
}

TEST(good_files)
{
	glob_t found;

	find_files("good-*.json", &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		AUTO_FREE char *expected = beside(found.gl_pathv[i], "plan"), *text = NULL;
		size_t length;

		text = without_nul(found.gl_pathv[i], &length);
		assert_reads_at(HERE, found.gl_pathv[i], text, length, NULL, expected);
	}
	globfree(&found);
}

TEST(files_that_should_fail)
{
	glob_t found;

	find_files("should-fail-*.json", &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		AUTO_FREE char *expected = beside(found.gl_pathv[i], "error"), *text = NULL;
		size_t length;

		text = without_nul(found.gl_pathv[i], &length);
		assert_unreadable_at(HERE, found.gl_pathv[i], text, length, NULL, -EINVAL, expected);
	}
	globfree(&found);
}

/* Nothing that is cut off is taken for a shorter list. */
TEST(files_that_are_cut_off)
{
	glob_t found;

	find_files("good-*.json", &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		AUTO_PLAN struct idm_plan *plan = new_plan();
		AUTO_FREE char *text = NULL;
		size_t length;

		text = file_text(found.gl_pathv[i], &length);
		while (length && strchr(" \n", text[length - 1]))
			length--;
		for (size_t n = 0; n < length; n += 1 + n / 100) {
			struct idm_error err;

			assert_error(idm_plan_read(plan, text, n, NULL, &err), -EINVAL, &err, "",
				     "read plan", "line ");
		}
	}
	globfree(&found);
}

/* An expectation that no file has is a mistake. */
static void assert_all_have_files(const char *pattern)
{
	glob_t found;

	find_files(pattern, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *name = strrchr(found.gl_pathv[i], '/') + 1;
		char other[300];
		glob_t files;

		snprintf(other, sizeof(other), "%.*s.*json", (int)strcspn(name, "."), name);
		find_files(other, &files);
		globfree(&files);
	}
	globfree(&found);
}

TEST(no_expectation_is_left_over)
{
	assert_all_have_files("*.plan");
	assert_all_have_files("*.error");
}

/* ---- how a text is to be read ---- */

#define CONTAINERD "[{\"Type\":\"bind\",\"Source\":\"/x\",\"Options\":[\"ro\"]}]"
#define MORE "[{\"Type\":\"bind\",\"Source\":\"/x\",\"Target\":\"/x\",\"Options\":[\"ro\"]}]"
#define OCI "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}}"

TEST(formats)
{
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;

	assert_reads(CONTAINERD, &how, "bind on /\n  source /x\n  attributes +rdonly\n");
	assert_reads(OCI, &how, "recursive bind on /\n  source rootfs\n");
	how.format = IDM_PLAN_READ_CONTAINERD;
	assert_reads(CONTAINERD, &how, "bind on /\n  source /x\n  attributes +rdonly\n");
	assert_unreadable(
		OCI, &how, -EINVAL,
		"read plan: line 1, column 15: ociVersion: unknown key; the key of a list of mounts "
		"is \"mounts\"\n");
	how.format = IDM_PLAN_READ_OCI;
	assert_reads(OCI, &how, "recursive bind on /\n  source rootfs\n");
	assert_unreadable(CONTAINERD, &how, -EINVAL, "read plan: expected an object, got an array\n");
	how.format = IDM_PLAN_READ_OCI + 1;
	assert_unreadable(OCI, &how, -EINVAL, "read plan: unknown format 3\n");
}

TEST(options_of_another_size)
{
	struct {
		struct idm_plan_read_options how;
		size_t more;
	} newer = { IDM_PLAN_READ_OPTIONS_INIT, 0 };

	newer.how.size = sizeof(newer);
	assert_reads(OCI, &newer.how, "recursive bind on /\n  source rootfs\n");
	newer.more = 1;
	assert_unreadable(OCI, &newer.how, -E2BIG, "read plan: these options require a newer library\n");
	newer.how.size = 0;
	assert_unreadable(OCI, &newer.how, -EINVAL, "read plan: the options' size is not set\n");
}

TEST(too_much_text)
{
	size_t length = (16 << 20) + 1;
	AUTO_FREE char *text = calloc(1, length);

	memset(text, ' ', length);
	assert_unreadable_at(HERE, "16 MiB", text, length, NULL, -E2BIG,
			     "read plan: expected at most 16777216 bytes, got 16777217\n");
}

TEST(relative_paths_begin_at_the_bundle)
{
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;

	how.dirfd = 2;
	assert_reads("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"mounts\":["
		     "{\"destination\":\"/a\",\"source\":\"a\",\"options\":[\"bind\"]},"
		     "{\"destination\":\"/b\",\"source\":\"/b\",\"options\":[\"bind\"]},"
		     "{\"destination\":\"/c\",\"type\":\"overlay\",\"options\":[\"lowerdir=l:/m\"]}]}",
		     &how,
		     "recursive bind on /\n  source DIR:rootfs\n"
		     "bind on /a\n  source DIR:a\n  target is created\n"
		     "bind on /b\n  source /b\n  target is created\n"
		     "overlay on /c\n  lower DIR:l\n  lower /m\n  target is created\n");
}

/* ---- maps relative to the container ---- */

#define RELATIVE(linux)                                                                             \
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"/r\"},\"mounts\":[{\"destination\":\"/a\"," \
	"\"source\":\"/a\",\"options\":[\"rbind\",\"idmap=uids=@1000-0-1;gids=@1000-5-1\"]}]" linux "}"

TEST(a_relative_map_counts_in_the_container)
{
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;

	assert_reads(
		RELATIVE(
			",\"linux\":{\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,"
			"\"hostID\":100000,\"size\":10}],\"gidMappings\":[{\"containerID\":5,\"hostID\":7,"
			"\"size\":1}]}"),
		&how,
		"recursive bind on /\n  source /r\n"
		"recursive bind on /a\n  source /a\n  map of this mount alone u:1000:100000:1,g:1000:7:1\n"
		"  target is created\n");
	assert_reads(
		RELATIVE(""), &how,
		"recursive bind on /\n  source /r\n"
		"recursive bind on /a\n  source /a\n  map of this mount alone u:1000:0:1,g:1000:5:1\n"
		"  target is created\n");
	assert_unreadable(
		RELATIVE(",\"linux\":{\"namespaces\":[{\"type\":\"user\",\"path\":\"/n\"}]}"), &how,
		-EINVAL,
		"/n: read plan: a relative map requires the map of the container's user namespace\n");
}

/* ---- a map beside the text ---- */

TEST(a_map_for_a_containerd_list)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;

	how.map = map;
	assert_reads("[{\"Type\":\"overlay\",\"Options\":[\"lowerdir=/l:/m\"]},"
		     "{\"Type\":\"bind\",\"Source\":\"/b\",\"Target\":\"/b\"},"
		     "{\"Type\":\"none\",\"Source\":\"/c\",\"Target\":\"/c\",\"Options\":[\"rbind\"]},"
		     "{\"Source\":\"/d\",\"Target\":\"/d\",\"Options\":[\"bind\"]},"
		     "{\"Type\":\"erofs\",\"Source\":\"/e\",\"Target\":\"/e\",\"Options\":[\"loop\"]},"
		     "{\"Type\":\"tmpfs\",\"Target\":\"/f\"},"
		     "{\"Type\":\"proc\",\"Target\":\"/g\"}]",
		     &how,
		     "overlay on /\n  lower /l\n  lower /m\n  map 0:100000:65536\n"
		     "bind on /b\n  source /b\n  map 0:100000:65536\n"
		     "recursive bind on /c\n  source /c\n  map 0:100000:65536\n"
		     "bind on /d\n  source /d\n  map 0:100000:65536\n"
		     "erofs on /e\n  source /e\n  map 0:100000:65536\n  loop\n"
		     "tmpfs on /f\n"
		     "proc on /g\n");
	/* the text has precedence */
	assert_reads(
		"[{\"Type\":\"bind\",\"Source\":\"/b\",\"Options\":[\"uidmap=0:1:2\",\"gidmap=0:3:4\"]}]",
		&how, "bind on /\n  source /b\n  map u:0:1:2,g:0:3:4\n");
	assert_unreadable(
		"[{\"Type\":\"bind\",\"Source\":\"/b\",\"Options\":[\"uidmap=0:1:2\"]}]", &how, -EINVAL,
		"mount 1 (bind on /): plan mount: expected a map of user and group IDs, got only user IDs\n"
		"hint: uidmap= requires gidmap=, and uidMappings require gidMappings\n");
}

#define ROWS(host) "[{\"containerID\":0,\"hostID\":" #host ",\"size\":1}]"
#define BOTH_ROWS(host) "\"uidMappings\":" ROWS(host) ",\"gidMappings\":" ROWS(host)
#define HEAD "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"/r\"},"
#define IDMAP "{\"destination\":\"/a\",\"source\":\"/a\",\"options\":[\"rbind\",\"idmap\"]}"

TEST(a_map_for_an_oci_bundle)
{
	AUTO_MAP struct idm_map *map = map_of("0:9:1");
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;

	how.map = map;
	/* for the root, and what asks for a map and has none */
	assert_reads(
		HEAD
		"\"mounts\":[" IDMAP ",{\"destination\":\"/b\",\"source\":\"/b\",\"options\":[\"bind\"]}"
		",{\"destination\":\"/c\",\"source\":\"/c\",\"options\":[\"bind\",\"idmap\"]," BOTH_ROWS(
			1) "}]}",
		&how,
		"recursive bind on /\n  source /r\n  map 0:9:1\n"
		"recursive bind on /a\n  source /a\n  map of this mount alone 0:9:1\n  "
		"target is created\n"
		"bind on /b\n  source /b\n  target is created\n"
		"bind on /c\n  source /c\n  map of this mount alone 0:1:1\n  target is created\n");
	/* the container's own has precedence, but not for the root */
	assert_reads(HEAD "\"linux\":{\"namespaces\":[{\"type\":\"user\"}]," BOTH_ROWS(
			     5) "},\"mounts\":[" IDMAP "]}",
		     &how,
		     "recursive bind on /\n  source /r\n  map 0:9:1\n"
		     "recursive bind on /a\n  source /a\n  map of this mount alone 0:5:1\n"
		     "  target is created\n");
	assert_reads(HEAD "\"linux\":{\"uidMappings\":[],\"gidMappings\":[]},\"mounts\":[" IDMAP "]}",
		     &how,
		     "recursive bind on /\n  source /r\n  map 0:9:1\n"
		     "recursive bind on /a\n  source /a\n  map of this mount alone 0:9:1\n"
		     "  target is created\n");
}

TEST(a_text_is_added_to_a_plan)
{
	AUTO_PLAN struct idm_plan *plan = new_plan();
	AUTO_FREE char *text = NULL;
	struct idm_error err;

	assert_ok(idm_plan_read(plan, OCI, strlen(OCI), NULL, &err), &err);
	assert_error(idm_plan_read(plan, CONTAINERD, strlen(CONTAINERD), NULL, &err), -EINVAL, &err,
		     NULL, NULL, "duplicate root");
	assert_ok(idm_plan_read(plan, MORE, strlen(MORE), NULL, &err), &err);
	text = plan_text(plan);
	assert_string_equal(text, "recursive bind on /\n  source rootfs\n"
				  "bind on /x\n  source /x\n  attributes +rdonly\n");
}

/* Also where the first mounts of the text were understood. */
TEST(on_failure_the_plan_is_as_before)
{
	static const char *const texts[] = {
		"[{\"Type\":\"tmpfs\",\"Target\":\"/a\"},{\"Type\":\"tmpfs\",\"Target\":\"/b\"},{\"Type\":\"zfs\"}]",
		HEAD
		"\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\"},{\"destination\":\"/b\"}]}",
		"[",
	};
	AUTO_PLAN struct idm_plan *plan = new_plan();
	AUTO_FREE char *before = NULL;
	struct idm_error err;

	assert_ok(idm_plan_read(plan, CONTAINERD, strlen(CONTAINERD), NULL, &err), &err);
	before = plan_text(plan);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_FREE char *after = NULL;

		assert_error(idm_plan_read(plan, texts[i], strlen(texts[i]), NULL, &err), -EINVAL, &err,
			     NULL, NULL, NULL);
		after = plan_text(plan);
		assert_string_equal(after, before);
	}
}
