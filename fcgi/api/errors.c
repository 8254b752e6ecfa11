#include "fcgi/api/errors.h"

API_ERR_KINDS(ERR_DEFINE)
