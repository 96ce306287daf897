// Calls the functions of late_callee.hpp, whose library is loaded late.
#pragma once

#include <string>

/// "204 285 6 3 4 7" when all arguments arrive.
std::string call_late_functions();
