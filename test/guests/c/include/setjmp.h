// WASI has no setjmp, and Lua includes it although it is told to throw otherwise (lua-host.h).
#pragma once
