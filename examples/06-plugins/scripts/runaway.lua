-- Never ends. Type in the text while it runs, then stop it, or wait for its time limit.
while true do end
