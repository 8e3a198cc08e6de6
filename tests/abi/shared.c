/* SPDX-License-Identifier: MIT */
/* A program such as others write: strict C11, the installed header alone, the shared library. */
#include <idmount.h>
#include <stdio.h>
#include <string.h>

static int number, failed;

static void tell(const char *what, int good)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, what);
	failed |= !good;
}

int main(void)
{
	struct idm_error err;
	struct idm_map *map;
	char text[64] = "";

	puts("1..4");
	tell("the version is the header's", strcmp(idm_version(), IDM_VERSION) == 0);
	tell("a map is made", idm_map_new(&map) == 0);
	tell("and parsed", idm_map_parse(map, "0:100000:65536", 0, &err) == 0);
	idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, text, sizeof(text));
	tell("and printed", strcmp(text, "0:100000:65536") == 0);
	idm_map_free(map);
	return failed;
}
