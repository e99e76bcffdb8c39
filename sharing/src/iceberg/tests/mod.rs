mod schemas;
mod versions;
