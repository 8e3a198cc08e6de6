// SPDX-License-Identifier: MIT
/* The options of idmount-overlayfs, and the completion of its maps. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/common/report.h"
#include "cli/overlayfs/mappings.h"
#include "cli/overlayfs/options.h"
#include "lib/test.h"

static char list_[1024];

/* The options are kept, because a request points to them. */
static int read_options(struct overlay_request *q, const char *list)
{
	assert_int_equal(overlay_request_init(q), DONE);
	snprintf(list_, sizeof(list_), "%s", list);
	return add_overlay_options(q, list_);
}

static void assert_refused(const char *list)
{
	struct overlay_request q;
	int status = read_options(&q, list);

	if (status == DONE)
		status = check_overlay_options(&q);
	overlay_request_free(&q);
	if (status != USAGE)
		fail_msg("%s: %d", list, status);
}

static void assert_map(const struct idm_map *map, const char *expected)
{
	char text[512];

	assert_true(idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, text, sizeof(text)) >= 0);
	assert_string_equal(text, expected);
}

/* ---- options ---- */

TEST(all_that_an_engine_passes)
{
	struct overlay_request q;

	assert_int_equal(
		read_options(&q,
			     "lowerdir=/h/l/A:/h/l/B\\:C,upperdir=/h/1/diff,workdir=/h/1/work,,volatile,"
			     "context=\"u:r:t:s0:c1,c2\",uidmapping=:0:1:1500:1500:0:1,"
			     "gidmapping=:0:1:10"),
		DONE);
	assert_int_equal(check_overlay_options(&q), DONE);
	assert_int_equal(q.n_lower, 2);
	assert_string_equal(q.lower[0], "/h/l/A");
	assert_string_equal(q.lower[1], "/h/l/B:C");
	assert_string_equal(q.upper, "/h/1/diff");
	assert_string_equal(q.work, "/h/1/work");
	assert_int_equal(q.n_options, 2);
	assert_string_equal(q.options[0].name, "volatile");
	assert_null(q.options[0].value);
	assert_string_equal(q.options[1].name, "context");
	assert_string_equal(q.options[1].value, "u:r:t:s0:c1,c2");
	assert_map(q.mappings, "u:0:1:1500,u:1500:0:1,g:0:1:10");
	overlay_request_free(&q);
}

TEST(attributes_are_not_for_the_kernels_overlay)
{
	struct overlay_request q;

	assert_int_equal(read_options(&q,
				      "lowerdir=a:b,ro,nosuid,nodev,noatime,private,userxattr,xino=off,"
				      "metacopy=on,redirect_dir=on,metacopy=off,redirect_dir=off"),
			 DONE);
	assert_int_equal(q.attributes.set,
			 IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOATIME);
	assert_int_equal(q.attributes.propagation, IDM_PROPAGATION_PRIVATE);
	assert_int_equal(q.n_options, 1);
	assert_string_equal(q.options[0].name, "xino");
	overlay_request_free(&q);
}

TEST(a_map_without_the_colon_in_front)
{
	struct overlay_request q;

	assert_int_equal(read_options(&q, "uidmapping=0:1:4294967294"), DONE);
	assert_map(q.mappings, "u:0:1:4294967294");
	overlay_request_free(&q);
}

TEST(what_is_refused)
{
	static const char *const lists[] = {
		"lowerdir=a:b,squash_to_uid=0",
		"lowerdir=a:b,squash_to_gid=0",
		"lowerdir=a:b,squash_to_root",
		"lowerdir=a:b,xattr_permissions=2",
		"lowerdir=a:b,threaded=1",
		"lowerdir=a:b,noacl",
		"lowerdir=a:b,timeout=1",
		"lowerdir=a:b,ro=1",
		"lowerdir=a:b,context=\"x",
		"lowerdir=a:b,lowerdir=c",
		"lowerdir=a::b",
		"lowerdir=a:",
		"lowerdir=",
		"lowerdir=a:b,upperdir=",
		"lowerdir=a:b,upperdir=u",
		"lowerdir=a:b,workdir=w",
		"lowerdir=a:b,upperdir=u,upperdir=v",
		"lowerdir=a:b,workdir=u,workdir=v",
		"ro",
		"",
		"uidmapping",
		"uidmapping=",
		"uidmapping=:",
		"uidmapping=:0:1",
		"uidmapping=:0:1:",
		"uidmapping=::0:1:1",
		"uidmapping=:0:1:x",
		"uidmapping=:0:1:0",
		"uidmapping=:-1:1:1",
		"uidmapping=:0:1:4294967296",
		"uidmapping=:0:1:99999999999999999999",
		"uidmapping=:0:1:1:2",
		"uidmapping=:0:1:1:0:2:1",
		"gidmapping=:0:1:1:5:1:1",
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_refused(lists[i]);
}

/* ---- completed maps ---- */

/* The own map of podman's user namespace: uid_map's rows. */
#define OWN "0:1500:1,1:200000:65535"

static void complete(const char *text, const char *own_text, const char *expected)
{
	struct idm_map *map, *own;
	struct idm_error err;

	assert_int_equal(idm_map_new(&map), 0);
	assert_int_equal(idm_map_new(&own), 0);
	assert_ok(idm_map_parse(own, own_text, 0, &err), &err);
	if (*text)
		assert_ok(idm_map_parse(map, text, 0, &err), &err);
	assert_int_equal(complete_mappings(map, own), expected ? DONE : FAILED);
	if (expected)
		assert_map(map, expected);
	idm_map_free(map);
	idm_map_free(own);
}

TEST(maps_of_podman)
{
	complete("", OWN, "0:0:65536");
	complete("0:0:65536", OWN, "0:0:65536");
	/* keep-id */
	complete("0:1:1500,1500:0:1,1501:1501:64035", OWN, "0:1:1500,1500:0:1,1501:1501:64035");
	/* auto, and others that leave IDs out: podman's root is the overflow ID on disk */
	complete("0:1:5000", OWN, "0:1:65534,65534:0:1,65535:65535:1");
	complete("0:60000:5000", OWN,
		 "0:60000:5000,5000:1:59999,64999:65000:535,65534:0:1,65535:65535:1");
	complete("0:1500:100", OWN, "0:1500:100,100:1:1499,1599:1600:63935,65534:0:1,65535:65535:1");
}

TEST(one_side_and_small_namespaces)
{
	complete("u:0:1:10", OWN, "u:0:1:65534,u:65534:0:1,u:65535:65535:1,g:0:0:65536");
	/* No ID 65534: podman's root gets the first one that is left. */
	complete("0:1:10", "0:1500:1,1:200000:99", "0:1:10,10:0:1,11:11:89");
	complete("0:0:1", "0:1500:1", "0:0:1");
	/* Holes in the namespace */
	complete("0:5:1", "0:1500:2,5:3000:2", "0:5:1,1:0:1,5:1:1,6:6:1");
}

TEST(foreign_ids)
{
	complete("65530:0:10", OWN, NULL);
	complete("0:65530:10", OWN, NULL);
	complete("100000:1:1", OWN, NULL);
	complete("0:3:1", "0:1500:2,5:3000:2", NULL);
}

TEST(a_map_that_changes_nothing)
{
	struct idm_map *map;
	struct idm_error err;

	assert_int_equal(idm_map_new(&map), 0);
	assert_true(is_identity(map));
	assert_ok(idm_map_parse(map, "0:0:65536", 0, &err), &err);
	assert_true(is_identity(map));
	assert_ok(idm_map_parse(map, "g:65536:65537:1", 0, &err), &err);
	assert_false(is_identity(map));
	idm_map_free(map);
}
