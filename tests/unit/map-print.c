// SPDX-License-Identifier: MIT
/* Map to text, every dialect. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"

static const struct {
	enum idm_format format;
	const char *name;
} formats[] = {
	{ IDM_FORMAT_TEXT, "text" },
	{ IDM_FORMAT_KERNEL, "kernel" },
	{ IDM_FORMAT_CONTAINERD, "containerd" },
	{ IDM_FORMAT_UTIL_LINUX, "util-linux" },
	{ IDM_FORMAT_CRUN, "crun" },
	{ IDM_FORMAT_OCI, "oci" },
};

static void assert_prints(const char *map_words, enum idm_format format, unsigned int kinds,
			  const char *expected)
{
	AUTO_MAP struct idm_map *map = map_of(map_words);
	AUTO_FREE char *text = map_text(map, format, kinds);

	assert_string_at(HERE, map_words, text, expected);
}

#define UNEQUAL "u:0:100000:65536,u:70000:0:1,g:5:6:7"

TEST(text)
{
	assert_prints(UNEQUAL, IDM_FORMAT_TEXT, IDM_BOTH, UNEQUAL);
	assert_prints(UNEQUAL, IDM_FORMAT_TEXT, IDM_UID, "u:0:100000:65536,u:70000:0:1");
	assert_prints(UNEQUAL, IDM_FORMAT_TEXT, IDM_GID, "g:5:6:7");
	assert_prints("0:1:2,5:6:7", IDM_FORMAT_TEXT, IDM_BOTH, "0:1:2,5:6:7");
	assert_prints("0:1:2", IDM_FORMAT_TEXT, IDM_GID, "g:0:1:2");
	assert_prints("g:0:1:2", IDM_FORMAT_TEXT, IDM_BOTH, "g:0:1:2");
	assert_prints("", IDM_FORMAT_TEXT, IDM_BOTH, "");
	assert_prints("4294967294:4294967294:1", IDM_FORMAT_TEXT, IDM_BOTH, "4294967294:4294967294:1");
}

TEST(kernel)
{
	assert_prints(UNEQUAL, IDM_FORMAT_KERNEL, IDM_UID, "0 100000 65536\n70000 0 1\n");
	assert_prints(UNEQUAL, IDM_FORMAT_KERNEL, IDM_GID, "5 6 7\n");
	assert_prints("u:0:1:2", IDM_FORMAT_KERNEL, IDM_GID, "");
}

TEST(containerd)
{
	assert_prints(UNEQUAL, IDM_FORMAT_CONTAINERD, IDM_BOTH,
		      "uidmap=0:100000:65536,70000:0:1\ngidmap=5:6:7");
	assert_prints(UNEQUAL, IDM_FORMAT_CONTAINERD, IDM_GID, "gidmap=5:6:7");
	assert_prints("u:0:1:2", IDM_FORMAT_CONTAINERD, IDM_BOTH, "uidmap=0:1:2");
	assert_prints("", IDM_FORMAT_CONTAINERD, IDM_BOTH, "");
}

TEST(util_linux)
{
	assert_prints(UNEQUAL, IDM_FORMAT_UTIL_LINUX, IDM_BOTH, "u:0:100000:65536 u:70000:0:1 g:5:6:7");
	assert_prints("0:1:2,5:6:7", IDM_FORMAT_UTIL_LINUX, IDM_BOTH, "b:0:1:2 b:5:6:7");
	assert_prints("0:1:2", IDM_FORMAT_UTIL_LINUX, IDM_UID, "u:0:1:2");
	assert_prints("", IDM_FORMAT_UTIL_LINUX, IDM_BOTH, "");
}

TEST(crun)
{
	assert_prints(UNEQUAL, IDM_FORMAT_CRUN, IDM_BOTH, "uids=0-100000-65536#70000-0-1;gids=5-6-7");
	assert_prints("g:0:1:2", IDM_FORMAT_CRUN, IDM_BOTH, "gids=0-1-2");
	assert_prints("", IDM_FORMAT_CRUN, IDM_BOTH, "");
}

TEST(oci)
{
	assert_prints("u:0:100000:65536,u:70000:0:1,g:5:6:7", IDM_FORMAT_OCI, IDM_BOTH,
		      "{\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536},"
		      "{\"containerID\":70000,\"hostID\":0,\"size\":1}],"
		      "\"gidMappings\":[{\"containerID\":5,\"hostID\":6,\"size\":7}]}");
	assert_prints("0:1:2", IDM_FORMAT_OCI, IDM_GID,
		      "{\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}]}");
	assert_prints("", IDM_FORMAT_OCI, IDM_BOTH, "{\"uidMappings\":[],\"gidMappings\":[]}");
}

/* As snprintf(3), with every size there is from 0 to more than enough. */
TEST(never_past_the_end_of_the_buffer)
{
	AUTO_MAP struct idm_map *map = map_of(UNEQUAL);

	for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
		unsigned int kinds = formats[f].format == IDM_FORMAT_KERNEL ? IDM_UID : IDM_BOTH;
		AUTO_FREE char *whole = map_text(map, formats[f].format, kinds);
		size_t length = strlen(whole);

		assert_int_equal(idm_map_print(map, formats[f].format, kinds, NULL, 0), length);
		for (size_t size = 1; size < length + 4; size++) {
			AUTO_FREE char *buf = malloc(size + 1);
			size_t fits = size - 1 < length ? size - 1 : length;

			assert_non_null(buf);
			memset(buf, '~', size + 1);
			assert_int_equal(idm_map_print(map, formats[f].format, kinds, buf, size),
					 length);
			assert_int_equal(buf[size], '~');
			assert_int_equal(strnlen(buf, size), fits);
			if (memcmp(buf, whole, fits) != 0)
				fail_msg("%s at size %zu: \"%s\"", formats[f].name, size, buf);
		}
	}
}

TEST(unknown_formats_and_kinds)
{
	AUTO_MAP struct idm_map *map = map_of("0:1:2");
	char buf[100];

	assert_int_equal(idm_map_print(map, IDM_FORMAT_TEXT, 0, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(idm_map_print(map, IDM_FORMAT_TEXT, 4, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(idm_map_print(map, IDM_FORMAT_TEXT, 7, NULL, 0), -EINVAL);
	assert_int_equal(idm_map_print(map, IDM_FORMAT_KERNEL, IDM_BOTH, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, NULL, 5), -EINVAL);
	assert_int_equal(idm_map_print(map, (enum idm_format)6, IDM_BOTH, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(idm_map_print(map, (enum idm_format) - 1, IDM_BOTH, buf, sizeof(buf)), -EINVAL);
}
