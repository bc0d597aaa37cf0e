-- Explains each word between asterisks. `lookup` waits for the host, in the middle of gsub and inside of pcall:
-- a word that nobody knows is an error, which is caught here.
local unknown = {}

local function explain(word)
  local known, meaning = pcall(lookup, word:lower())
  if known then return word .. ' (' .. meaning .. ')' end
  unknown[#unknown + 1] = word
  return word
end

local result = {}
-- gsub cannot be left and come back to by a coroutine of Lua's own; a call of the host may wait in it all the same.
result[1] = text:gsub('%*(%a+)%*', explain)
if #unknown > 0 then result[2] = 'Unknown: ' .. table.concat(unknown, ', ') .. '\n' end
return table.concat(result, '\n')
