-- Sorts the lines by the alphabet, whatever their case. What is printed goes to the log.
local lines = {}
for line in text:gmatch('[^\n]+') do lines[#lines + 1] = line end
table.sort(lines, function(a, b) return a:lower() < b:lower() end)
print(#lines .. ' lines are sorted')
return table.concat(lines, '\n') .. '\n'
