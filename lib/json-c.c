// SPDX-License-Identifier: MIT
#include "json-c.h"

#include <dlfcn.h>
#include <errno.h>

#include "config.h"
#include "error.h"

/* Where there is no dynamic loader (a static program), json-c is linked in. */
#if IDM_STATIC
#define LOAD_JSON_C() ((void *)1)
#define JSON_C_SYMBOL(name) json_##name
#else
#define LOAD_JSON_C() dlopen(JSON_C_SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#define JSON_C_SYMBOL(name) ((__typeof__(&json_##name))dlsym(library, "json_" #name))
#endif

#define FIND(name)                                      \
	c->name = library ? JSON_C_SYMBOL(name) : NULL; \
	complete &= c->name != NULL;

int idm_json_c_load(struct idm_json_c *c, enum idm_error_step step, struct idm_error *err)
{
	void *library = LOAD_JSON_C();
	bool complete = true;

	IDM_JSON_C_FUNCTIONS(FIND)
	if (complete)
		return 0;
	idm_fail(err, -EOPNOTSUPP, step, NULL, "json-c cannot be loaded");
	idm_hint(err, "install %s", JSON_C_SONAME);
	return -EOPNOTSUPP;
}
